import { ok } from './harness/acme.js';
import { runCli } from './harness/cli.js';
import { type Answer, type Http, http, type Json } from './harness/http.js';
import { type App, operatorKey, secretsKey, startApi } from './harness/processes.js';
import { until } from './harness/until.js';
import { startWechatScene, type WechatScene } from './harness/wechat-scene.js';
import { shortOrWhole } from './harness/torture.js';

const newKey = Buffer.alloc(32, 8).toString('base64');

/** docs/operating.md, "Rotating keys", step by step, with people logging in all the time. */
describe('Rotating SECRETS_KEY', () => {
  let scene: WechatScene;
  let processes: readonly App[];
  let clients: readonly Http[];
  const failures: unknown[] = [];
  let logins = 0;
  let changes = 0;
  const people = { isHere: true };

  beforeAll(async () => {
    scene = await startWechatScene({ apis: 1 });
    await scene.put('game', 'mini_program', 'op1');
    await scene.put('busy', 'mini_program', 'op1', { push: { token: 'first', mode: 'plain' } });
    use(scene.acme.apis);
  });
  afterAll(async () => {
    people.isHere = false;
    await scene.stop();
  });

  function use(these: readonly App[]): void {
    processes = these;
    clients = these.map((api) => http(api.url, operatorKey));
  }

  /** New processes come up before the old ones are told to stop. */
  async function roll(env: Record<string, string>): Promise<void> {
    const { url: databaseUrl } = scene.acme.database;
    const start = (): Promise<App> => startApi({ databaseUrl, env: { WECHAT_BASE_URL: scene.sandbox.url, ...env } });
    const former = processes;
    use(await Promise.all(Array.from({ length: shortOrWhole(1, 2) }, start)));
    for (const { code } of await Promise.all(former.map((api) => api.stop()))) expect(code).toBe(0);
  }

  /** As a balancer does: one that is up, and another one where the door was closed before anything was sent. */
  const balanced = async (turn: number, ask: (at: Http) => Promise<Answer<Json>>): Promise<Answer<Json>> => {
    try {
      return await ask(clients[turn % clients.length] as Http);
    } catch (error) {
      const cause: unknown = error instanceof Error ? error.cause : null;
      if (!(cause instanceof Error && 'code' in cause && cause.code === 'ECONNREFUSED')) throw error;
      return ask(clients[turn % clients.length] as Http);
    }
  };

  /** Each login opens the app's secret and signs a session; now and then a secret is replaced. */
  async function keepLoggingIn(name: string): Promise<void> {
    for (let turn = 0; people.isHere; turn += 1) {
      try {
        const { code } = await scene.codeOf(`${name}-${turn % 20}`, 'game');
        const answer = await balanced(turn, (at) => at.post('/v1/logins/mini-program', { appId: 'game', code }));
        if (answer.status === 200) logins += 1;
        else failures.push([answer.status, answer.body]);
        if (turn % 5 === 0) await changeSecret(turn, `secret-${name}-${turn}`);
      } catch (error) {
        failures.push(error);
      }
    }
  }

  async function changeSecret(turn: number, appSecret: string): Promise<void> {
    const push = { token: appSecret, mode: 'plain' };
    const body = { kind: 'mini_program', name: 'busy', openPlatformId: 'op1', appSecret, push };
    const answer = await balanced(turn, (at) => at.put('/v1/entities/acme/apps/busy', body));
    if (answer.status === 200) changes += 1;
    else failures.push([answer.status, answer.body]);
  }

  const further = (): Promise<unknown> => {
    const before = logins;
    return until(async () => logins >= before + 10, { timeoutMs: 60_000, what: 'ten logins more' });
  };
  const kidsSigned = async (): Promise<string[]> =>
    ok(await (clients[0] as Http).get('/.well-known/jwks.json')).body.keys.map(({ kid }: Json) => kid);

  it('fails no login, loses no secret and signs on with the same keys', async () => {
    const running = Array.from({ length: shortOrWhole(1, 2) }, (_, index) => keepLoggingIn(`lane${index}`));
    await further();
    const kids = await kidsSigned();
    await roll({ SECRETS_KEY: secretsKey, SECRETS_KEY_PREVIOUS: newKey });
    await further();
    await roll({ SECRETS_KEY: newKey, SECRETS_KEY_PREVIOUS: secretsKey });
    await further();
    const both = { SECRETS_KEY: newKey, SECRETS_KEY_PREVIOUS: secretsKey };
    const resealed = await runCli(scene.acme.database.url, ['secrets', 'reseal'], both);
    expect([resealed.code, resealed.stdout.trim().split('\n').at(-1)]).toEqual([
      0,
      'everything is sealed with SECRETS_KEY',
    ]);
    const again = await runCli(scene.acme.database.url, ['secrets', 'reseal'], both);
    expect(again.stdout).not.toMatch(/[1-9]\d* resealed/);
    await roll({ SECRETS_KEY: newKey });
    await further();
    people.isHere = false;
    await Promise.all(running);
    expect(failures).toEqual([]);
    expect(changes).toBeGreaterThan(10);
    expect(await kidsSigned()).toEqual(kids);
    await Promise.all(processes.map((api) => api.stop()));
    // Six processes start in it, on a machine that may be busy.
  }, 600_000);

  it('leaves a process with the old key alone at the door, and a reseal without the right keys changes nothing', async () => {
    const databaseUrl = scene.acme.database.url;
    const late = await startApi({ databaseUrl, env: { SECRETS_KEY: secretsKey }, waitFor: 'nothing' });
    expect((await late.exited).code).toBe(1);
    expect(JSON.stringify(late.logs())).toContain('SECRETS_KEY is not the one');
    const columns = 'SELECT app_secret, push_token FROM app ORDER BY id';
    const before = await scene.acme.database.query(columns);
    const { code, stdout } = await runCli(databaseUrl, ['secrets', 'reseal']);
    expect([code, stdout]).toEqual([1, expect.stringContaining('installation.pepper')]);
    expect(stdout).toContain('neither key opens it');
    expect(await scene.acme.database.query(columns)).toEqual(before);
  });

  it('knows every column that may be sealed', async () => {
    const rows = await scene.acme.database.query<{ name: string }>(
      `SELECT table_name || '.' || column_name AS name FROM information_schema.columns
       WHERE table_schema = 'public' AND data_type = 'bytea' ORDER BY 1`,
    );
    const { stdout } = await runCli(scene.acme.database.url, ['secrets', 'reseal'], { SECRETS_KEY: newKey });
    const sealed = new Set(stdout.split('\n').map((line) => line.split(' ')[0]));
    // Digests and fingerprints are no secrets; answers are sealed under the pepper, which is sealed itself.
    const isOther = /^audit_|^idempotency|\.(hash|fingerprint|digest)$/;
    expect(rows.map(({ name }) => name).filter((name) => !sealed.has(name) && !isOther.test(name))).toEqual([]);
  });
});
