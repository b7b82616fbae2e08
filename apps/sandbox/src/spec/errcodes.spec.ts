import type { Reaction, WechatClient } from '#wechat';
import { refusalOf, Stage } from './stage.js';

let stage: Stage;
let client: WechatClient;
let person = 0;

beforeAll(async () => {
  stage = await Stage.open();
  await stage.app('wxprogram', { openPlatform: 'main' });
  await stage.app('wxservice', { kind: 'service_account', openPlatform: 'main' });
});
afterAll(() => stage.sandbox.close());
beforeEach(async () => {
  client = stage.client();
  stage.calls.length = 0;
  // A token may be forced anew every thirty seconds only.
  await stage.post('/_control/clock', { advanceSeconds: 60 });
});

async function code(appId: string): Promise<string> {
  person += 1;
  return (await stage.logIn(`person ${person}`, appId)).code;
}

/** One call of each credential, with everything before it done. */
const prepared = {
  app_secret: async () => {
    const login = { appId: 'wxprogram', code: await code('wxprogram') };
    return ['/sns/jscode2session', () => client.code2session(login)] as const;
  },
  app_token: async () => ['/cgi-bin/user/get', () => client.userGet({ appId: 'wxservice' })] as const,
  user_token: async () => {
    const login = await client.oauthAccessToken({ appId: 'wxservice', code: await code('wxservice') });
    return ['/sns/userinfo', () => client.snsUserInfo({ appId: 'wxservice', ...login })] as const;
  },
} as const;

/** The table of reactions: what each errcode wants where it can come, and how many calls are made because of it. */
const rows: readonly (readonly [number, keyof typeof prepared, Reaction, number])[] = [
  [-1, 'app_secret', 'retry_later', 1],
  [-1, 'app_token', 'retry_later', 3],
  [-1, 'user_token', 'retry_later', 3],
  [268487002, 'app_token', 'retry_later', 3],
  // Another token is fetched and tried once; refused too, it is a matter for the operator.
  [40001, 'app_token', 'configuration', 2],
  [40014, 'app_token', 'configuration', 2],
  [42001, 'app_token', 'configuration', 2],
  [40001, 'user_token', 'user_token_dead', 1],
  [40014, 'user_token', 'user_token_dead', 1],
  [42001, 'user_token', 'user_token_dead', 1],
  [42002, 'user_token', 'user_token_dead', 1],
  [42007, 'user_token', 'user_token_dead', 1],
  [40030, 'user_token', 'user_token_dead', 1],
  [40029, 'app_secret', 'new_code', 1],
  [40163, 'app_secret', 'new_code', 1],
  [41008, 'app_secret', 'new_code', 1],
  [40003, 'app_token', 'foreign_identity', 1],
  [40226, 'app_secret', 'blocked_user', 1],
  [45009, 'app_secret', 'throttled', 1],
  [45009, 'app_token', 'throttled', 1],
  [45011, 'app_secret', 'throttled', 1],
  [45011, 'app_token', 'throttled', 1],
  [40001, 'app_secret', 'configuration', 1],
  ...[40013, 40125, 40164, 40243, 41002, 41004, 89501, 89503, 89506, 89507].map(
    (errcode) => [errcode, 'app_secret', 'configuration', 1] as const,
  ),
  ...[48001, 50002, 50004, 50007, 61004, 61007, 61016, 61024, 89002].map(
    (errcode) => [errcode, 'app_token', 'configuration', 1] as const,
  ),
  ...[40032, 40097, 43002, 47001, 41001, 76021, 76022, 63182, 87008].map(
    (errcode) => [errcode, 'app_token', 'our_bug', 1] as const,
  ),
  [87007, 'app_token', 'session_stale', 1],
  [87009, 'app_token', 'session_stale', 1],
  [89300, 'app_token', 'no_such_order', 1],
  // Those of single calls.
  [40002, 'app_secret', 'our_bug', 1],
  [48006, 'app_token', 'throttled', 1],
  [63178, 'app_token', 'configuration', 1],
  [63183, 'app_token', 'our_bug', 1],
];

describe('an errcode from WeChat', () => {
  it.each(rows)('%d on a call with %s wants %s, after %d calls', async (errcode, credential, reaction, calls) => {
    const [endpoint, call] = await prepared[credential]();
    await stage.fault({ endpoint, kind: 'errcode', errcode, times: 100 });
    const refusal = await refusalOf(call());
    await fetch(`${stage.sandbox.url}/_faults`, { method: 'DELETE' });
    expect(refusal).toMatchObject({ errcode, reaction, endpoint, sent: true });
    expect(refusal.rid).toMatch(/^[0-9a-f-]{20,}$/);
    expect(stage.calls.filter((made) => made.endpoint === endpoint)).toHaveLength(calls);
  });
});

describe('the pause after a refusal', () => {
  it.each([
    ['a day’s quota', 45009, 'throttled'],
    ['a minute’s quota', 45011, 'throttled'],
    ['a refused set-up', 48001, 'configuration'],
  ])('for %s keeps the next call at home, for this app only', async (_what, errcode, reaction) => {
    await stage.app('wxother', { kind: 'service_account' });
    const careful = stage.client({ configurationPauseMs: 10_000 });
    await stage.fault({ endpoint: 'user/get', appId: 'wxservice', kind: 'errcode', errcode });
    expect(await refusalOf(careful.userGet({ appId: 'wxservice' }))).toMatchObject({ errcode, sent: true });
    expect(await refusalOf(careful.userGet({ appId: 'wxservice' }))).toMatchObject({ errcode, reaction, sent: false });
    expect(await careful.userGet({ appId: 'wxother' })).toMatchObject({ total: 0 });
  });
});
