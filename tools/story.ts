import { randomBytes } from 'node:crypto';
import { type Answer, type Http, http } from './http.js';
import { Refusal, say } from './machine.js';
import { until } from './until.js';

/**
 * The README's story, told by doing it: real HTTP to the API, the sandbox and the sample app. Every run uses new names,
 * so it can be told again on old data. A step that answers otherwise than the story says ends it.
 */

export interface Stage {
  readonly api: string;
  readonly sandbox: string;
  readonly sibling: string;
  readonly operatorApiKey: string;
}

const ENTITY = 'peach-tea-house';
const OPEN_PLATFORM = 'main';
/** How long the sample app may take to hear of a merge: through Kafka, or by asking the API for events. */
const EVENTS_TIMEOUT_MS = 30_000;

interface Login {
  readonly outcome: string;
  readonly user: { readonly id: string; readonly unionIds: readonly { readonly unionId: string }[] };
  readonly identity: { readonly appId: string; readonly openId: string };
  readonly previousUserId: string | null;
}

interface Found {
  readonly user: { readonly id: string };
}

interface Points {
  readonly userId: string;
  readonly points: number;
}

/** The sample app's key: the one kept from last time if the service still knows it, else a new one. */
export async function ensureSiblingKey(stage: {
  api: string;
  operatorApiKey: string;
  siblingApiKey?: string;
}): Promise<string> {
  const operator = http(stage.api, stage.operatorApiKey);
  expectStatus(await operator.put(`/v1/entities/${ENTITY}`, { name: 'Peach Tea House' }), 200, 201);
  if (stage.siblingApiKey !== undefined) {
    const { status } = await operator.as(stage.siblingApiKey).get('/v1/users?limit=1');
    if (status === 200) return stage.siblingApiKey;
  }
  const made = await operator.post<{ key: string }>('/v1/api-keys', {
    entityId: ENTITY,
    name: 'points shop',
    scopes: ['read', 'ingest'],
  });
  expectStatus(made, 201);
  return made.body.key;
}

export async function tellStory(stage: Stage): Promise<void> {
  const story = new Story(stage);
  await story.open();
  const before = await story.playWithoutUnionId();
  const follower = await story.followServiceAccount();
  await story.bindMiniProgram();
  await story.playAgain(before, follower);
  await story.lookBack(before, follower);
}

class Story {
  private readonly api: Http;
  private readonly sandbox: Http;
  private readonly sibling: Http;
  private readonly run = randomBytes(4).toString('hex');
  private readonly miniProgram = `wx${randomBytes(8).toString('hex')}`;
  private readonly serviceAccount = `wx${randomBytes(8).toString('hex')}`;
  private readonly person = `mei-${this.run}`;

  constructor({ api, sandbox, sibling, operatorApiKey }: Stage) {
    this.api = http(api, operatorApiKey);
    this.sandbox = http(sandbox);
    this.sibling = http(sibling);
  }

  /** The shop's two apps, at WeChat and in our registry. Only the service account is bound to the Open Platform account. */
  async open(): Promise<void> {
    tell(
      `The Peach Tea House has a mini-program (${this.miniProgram}), a service account (${this.serviceAccount}) and, apart from both, a points shop: the sample app, with a database of its own.`,
    );
    const entity = `/v1/entities/${ENTITY}`;
    expectStatus(await this.api.put(`${entity}/open-platforms/${OPEN_PLATFORM}`, { name: 'Main account' }), 200, 201);
    await this.register({ appId: this.miniProgram, kind: 'mini_program', name: 'Tea to go', openPlatformId: null });
    await this.register({
      appId: this.serviceAccount,
      kind: 'service_account',
      name: 'Tea house news',
      openPlatformId: OPEN_PLATFORM,
    });
  }

  async playWithoutUnionId(): Promise<Login> {
    tell('Mei opens the mini-program for the first time and plays a round.');
    const login = await this.logIn(this.miniProgram);
    expect(login.outcome === 'created' && login.user.unionIds.length === 0, 'a new user without a unionId', login);
    answer(
      `WeChat knows her as openId ${login.identity.openId} here and gives no unionId, because the mini-program is bound to no Open Platform account. She becomes user ${login.user.id}.`,
    );
    await this.earn(this.miniProgram, login.identity.openId, 30);
    const points = await this.pointsOf(login.user.id, 30);
    answer(`The points shop books 30 points for her: user ${points.userId} has ${points.points}.`);
    return login;
  }

  async followServiceAccount(): Promise<Login> {
    tell('In the evening she follows the service account and taps its menu.');
    const login = await this.logIn(this.serviceAccount);
    const [unionId] = login.user.unionIds;
    expect(login.outcome === 'created' && unionId !== undefined, 'a new user with a unionId', login);
    answer(
      `There she is openId ${login.identity.openId}, and a unionId comes along: ${unionId?.unionId}. Nothing says yet that this is the person from the mini-program, so nobody guesses: she is user ${login.user.id}.`,
    );
    await this.earn(this.serviceAccount, login.identity.openId, 12);
    const points = await this.pointsOf(login.user.id, 12);
    answer(`The points shop books 12 points: user ${points.userId} has ${points.points}.`);
    return login;
  }

  async bindMiniProgram(): Promise<void> {
    tell('Next day the tea house binds the mini-program to its Open Platform account, at WeChat and in the registry.');
    await this.register({
      appId: this.miniProgram,
      kind: 'mini_program',
      name: 'Tea to go',
      openPlatformId: OPEN_PLATFORM,
    });
    answer(`${this.miniProgram} now belongs to "${OPEN_PLATFORM}", as ${this.serviceAccount} does.`);
  }

  async playAgain(before: Login, follower: Login): Promise<void> {
    tell('Mei opens the mini-program again.');
    const login = await this.logIn(this.miniProgram);
    expect(
      login.outcome === 'merged' && login.user.id === follower.user.id && login.previousUserId === before.user.id,
      `"merged" into user ${follower.user.id}`,
      login,
    );
    answer(
      `The same openId, ${login.identity.openId}, now with the unionId: the two users were one person all along. Outcome "${login.outcome}": user ${login.previousUserId} is folded into ${login.user.id}.`,
    );
    const points = await this.pointsOf(login.user.id, 42);
    answer(
      `The points shop hears of it through the events and moves what it holds, without asking anybody: user ${points.userId} has ${points.points} points, 30 + 12.`,
    );
  }

  /** Every door leads to her now: both openIds, and the id that is no more. */
  async lookBack(before: Login, follower: Login): Promise<void> {
    tell('Who is it, by any of the names she has had?');
    for (const { appId, openId } of [before.identity, follower.identity]) {
      const found = await this.api.get<Found>(`/v1/identities/${appId}/${openId}`);
      expectStatus(found, 200);
      expect(found.body.user.id === follower.user.id, `user ${follower.user.id}`, found.body);
      answer(`${appId} / ${openId} is user ${found.body.user.id}.`);
    }
    const old = await this.api.get<{ id: string; requestedUserId: string; status: string }>(
      `/v1/users/${before.user.id}`,
    );
    expectStatus(old, 200);
    expect(old.body.id === follower.user.id && old.body.status === 'live', `user ${follower.user.id}`, old.body);
    answer(`The old id ${old.body.requestedUserId} still answers, and leads to ${old.body.id}.`);
    tell('One person, one user, one sum of points.');
  }

  /** The app as WeChat has it and as our registry has it; told again, it changes both. */
  private async register(app: { appId: string; kind: string; name: string; openPlatformId: string | null }) {
    const appSecret = `secret-of-${app.appId}`;
    const { appId, ...rest } = app;
    expectStatus(await this.sandbox.put(`/_control/apps/${appId}`, { ...rest, appSecret }), 200, 201);
    expectStatus(
      await this.api.put(`/v1/entities/${ENTITY}/apps/${appId}`, { ...rest, appSecret, sandbox: true }),
      200,
      201,
    );
  }

  /** What wx.login (or the OAuth page) and the shop's backend do: a code from WeChat, and the code to us. */
  private async logIn(appId: string): Promise<Login> {
    const code = await this.sandbox.post<{ code: string }>('/_control/login', { person: this.person, appId });
    expectStatus(code, 200, 201);
    const route = appId === this.miniProgram ? 'mini-program' : 'oauth';
    const login = await this.api.post<Login>(`/v1/logins/${route}`, { appId, code: code.body.code });
    expectStatus(login, 200);
    return login.body;
  }

  private async earn(appId: string, openId: string, points: number): Promise<void> {
    // The sample app follows the events, and hers may still be on their way to it.
    await until(
      async () => {
        expectStatus(await this.sibling.post('/points', { appId, openId, points }), 200, 201);
        return true;
      },
      { timeoutMs: EVENTS_TIMEOUT_MS, what: `the points shop to book points for ${appId} / ${openId}` },
    );
  }

  private pointsOf(userId: string, wanted: number): Promise<Points> {
    return until(
      async () => {
        const { status, body } = await this.sibling.get<Points>(`/points/${userId}`);
        return status === 200 && body.points === wanted && body;
      },
      { timeoutMs: EVENTS_TIMEOUT_MS, intervalMs: 100, what: `the points shop to show ${wanted} points for ${userId}` },
    );
  }
}

const WIDTH = 100;

const tell = (sentence: string): void => say(`\n${wrap(sentence, '')}`);
const answer = (sentence: string): void => say(wrap(sentence, '    '));

function wrap(text: string, indent: string): string {
  const lines = [''];
  for (const word of text.split(' ')) {
    const line = lines.at(-1) ?? '';
    if (line !== '' && indent.length + line.length + 1 + word.length > WIDTH) lines.push(word);
    else lines[lines.length - 1] = line === '' ? word : `${line} ${word}`;
  }
  return lines.map((line) => indent + line).join('\n');
}

function expect(holds: boolean, wanted: string, found: unknown): void {
  if (!holds) throw new Refusal(`The story went wrong: expected ${wanted}, got ${JSON.stringify(found)}`);
}

function expectStatus({ status, body }: Answer<unknown>, ...wanted: readonly number[]): void {
  if (!wanted.includes(status)) {
    throw new Error(`The story went wrong: expected ${wanted.join(' or ')}, got ${status} ${JSON.stringify(body)}`);
  }
}
