import { ok } from './harness/acme.js';
import type { Answer, Json } from './harness/http.js';
import { startWechatScene, type WechatScene } from './harness/wechat-scene.js';

/**
 * WeChat's table of errcodes as callers of this API meet it: what a number wants from them, and how many calls are made
 * because of it. Each row has an app of its own, because a refused set-up or a used-up quota pauses the app's calls.
 */
const misconfigured = [502, 'wechat_misconfigured', 1] as const;
const throttled = [429, 'wechat_throttled', 1] as const;
const codeInvalid = [401, 'code_invalid', 1] as const;

type Row = readonly [errcode: number, status: number, code: string, calls: number];

/** Secret, appid, address, permission, state of the account. */
const setUp = [
  40001, 40013, 40125, 40164, 40243, 41002, 41004, 48001, 50002, 50004, 50007, 61024, 89501, 89503, 89506, 89507,
];
/** Calls WeChat finds wrong, and a number nobody has met: for an operator too. */
const wrongCalls = [40002, 40097, 43002, 47001, 99_999];

const exchange: readonly Row[] = [
  // Never repeated: the code is spent even when the answer is lost.
  [-1, 502, 'wechat_unavailable', 1],
  ...[40029, 40163, 41008].map((errcode) => [errcode, ...codeInvalid] as const),
  [40226, 403, 'wechat_user_blocked', 1],
  ...[45009, 45011].map((errcode) => [errcode, ...throttled] as const),
  ...[...setUp, ...wrongCalls].map((errcode) => [errcode, ...misconfigured] as const),
];

const withAppToken: readonly Row[] = [
  [-1, 502, 'wechat_unavailable', 3],
  // Another token is tried once; refused too, it is a matter for the operator.
  ...[40001, 40014, 42001].map((errcode) => [errcode, 502, 'wechat_misconfigured', 2] as const),
  [40003, 422, 'foreign_open_id', 1],
  [89300, 404, 'order_not_found', 1],
  ...[45009, 45011].map((errcode) => [errcode, ...throttled] as const),
  ...[48001, 50002, 50004, 50007, 61004, 61007, 61016, 89002, 40097, 41001, 47001].map(
    (errcode) => [errcode, ...misconfigured] as const,
  ),
];

describe('An errcode of WeChat, seen through the API', () => {
  let scene: WechatScene;
  let next = 0;

  beforeAll(async () => {
    scene = await startWechatScene({ apis: 1 });
  });
  afterAll(() => scene.stop());

  const freshApp = async (kind: string): Promise<string> => {
    const appId = `app${(next += 1)}`;
    await scene.put(appId, kind, 'op1');
    return appId;
  };

  async function expectRefusal(answer: Answer<Json>, [errcode, status, code]: Row): Promise<void> {
    expect([answer.status, answer.body.code, answer.body.wechatErrcode]).toEqual([status, code, errcode]);
    expect(answer.body.rid).toMatch(/^[0-9a-f-]{20,}$/);
    expect(answer.headers.get('content-type')).toContain('application/problem+json');
    expect(answer.headers.has('retry-after')).toBe(status === 429);
    expect(await scene.acme.database.query(`SELECT 1 FROM identity WHERE app_id = 'app${next}'`)).toEqual([]);
  }

  it.each(exchange)('%d at a mini-program login is %d %s, after %d call', async (...row) => {
    const appId = await freshApp('mini_program');
    const { code } = await scene.codeOf('anybody', appId);
    await scene.fault(appId, '/sns/jscode2session', { kind: 'errcode', errcode: row[0], times: 9 });
    await expectRefusal(await scene.login('mini-program', appId, code), row);
    expect(await scene.calls(appId, '/sns/jscode2session')).toBe(row[3]);
  });

  it.each(exchange)('%d at an OAuth login is %d %s, after %d call', async (...row) => {
    const appId = await freshApp('website_app');
    const { code } = await scene.codeOf('anybody', appId);
    await scene.fault(appId, '/sns/oauth2/access_token', { kind: 'errcode', errcode: row[0], times: 9 });
    await expectRefusal(await scene.login('oauth', appId, code), row);
    expect(await scene.calls(appId, '/sns/oauth2/access_token')).toBe(row[3]);
  });

  it.each(withAppToken)('%d at a call with the app’s token is %d %s, after %d calls', async (...row) => {
    const appId = await freshApp('mini_program');
    const { openId, transactionId } = ok(await scene.wechat.post('/_control/pay', { person: 'anybody', appId })).body;
    await scene.fault(appId, '/wxa/getpaidunionid', { kind: 'errcode', errcode: row[0], times: 9 });
    const answer = await scene.acme.operator.post(`/v1/apps/${appId}/paid-union-id`, { openId, transactionId });
    await expectRefusal(answer, row);
    expect(await scene.calls(appId, '/wxa/getpaidunionid')).toBe(row[3]);
  });

  it.each([-1, 40001, 40003, 40014, 40030, 42001, 42002, 42007, 48001])(
    '%d of sns/userinfo, which is only a second look, fails no login and refreshes no token of the app',
    async (errcode) => {
      const appId = await freshApp('website_app');
      ok(await scene.wechat.post('/_control/bind', { appId, openPlatform: null }));
      const { code, openId } = await scene.codeOf('anybody', appId);
      await scene.fault(appId, '/sns/userinfo', { kind: 'errcode', errcode, times: 9 });
      const { body } = ok(await scene.login('oauth', appId, code));
      expect(body).toMatchObject({ outcome: 'created', identity: { openId }, user: { unionIds: [] } });
      expect(await scene.calls(appId, '/sns/userinfo')).toBeGreaterThan(0);
      expect(await scene.calls(appId, '/cgi-bin/stable_token')).toBe(0);
    },
  );

  it.each(['http', 'html', 'empty', 'reset', 'timeout', 'lost-answer'])(
    'an answer that is none (%s) is 502 wechat_unavailable, and the code is not sent again',
    async (kind) => {
      const appId = await freshApp('mini_program');
      const { code } = await scene.codeOf('anybody', appId);
      const more = kind === 'timeout' ? { delayMs: 100 } : {};
      await scene.fault(appId, '/sns/jscode2session', { kind, ...more });
      const answers = [await scene.login('mini-program', appId, code), await scene.login('mini-program', appId, code)];
      for (const { status, body } of answers)
        expect([status, body.code, body.wechatErrcode]).toEqual([502, 'wechat_unavailable', null]);
      // Had it been sent again, WeChat would have answered: only one call was ordered to fail.
    },
  );
});
