import { ok } from './harness/acme.js';
import type { Answer, Json } from './harness/http.js';
import { startWechatScene, type WechatScene } from './harness/wechat-scene.js';

describe("An app's access token over two API processes", () => {
  let scene: WechatScene;
  let next = 0;

  beforeAll(async () => {
    scene = await startWechatScene({ apis: 2 });
  });
  afterAll(() => scene.stop());

  const freshApp = async (): Promise<string> => {
    const appId = `shop${(next += 1)}`;
    await scene.put(appId, 'mini_program', 'op1');
    return appId;
  };
  /** A call that needs the token, by whichever process has its turn. */
  const ask = async (appId: string): Promise<Answer<Json>> => {
    const person = `payer-${(next += 1)}`;
    const { openId, transactionId } = ok(await scene.wechat.post('/_control/pay', { person, appId })).body;
    return scene.acme.anyone().post(`/v1/apps/${appId}/paid-union-id`, { openId, transactionId });
  };
  const askManyTimes = async (appId: string): Promise<unknown[]> => {
    const answers = await Promise.all(Array.from({ length: 16 }, () => ask(appId)));
    return [...new Set(answers.map(({ status }) => status))];
  };
  const fetched = (appId: string): Promise<number> => scene.calls(appId, '/cgi-bin/stable_token');
  /** What another system of the same app would do. */
  const tokenOf = async (appId: string, force = false): Promise<string> => {
    const secret = `secret-of-${appId}`;
    const body = { grant_type: 'client_credential', appid: appId, secret, force_refresh: force };
    // WeChat calls its JSON text/plain.
    return JSON.parse(ok(await scene.wechat.post('/cgi-bin/stable_token', body)).body).access_token;
  };

  it('is fetched once, however many calls need it at once', async () => {
    const appId = await freshApp();
    expect(await askManyTimes(appId)).toEqual([200]);
    expect(await fetched(appId)).toBe(1);
    expect(await askManyTimes(appId)).toEqual([200]);
    expect(await fetched(appId)).toBe(1);
  });

  it('is replaced once when WeChat has killed it, and without force when WeChat has a new one already', async () => {
    const appId = await freshApp();
    expect((await ask(appId)).status).toBe(200);
    await tokenOf(appId, true);
    const before = await fetched(appId);
    expect(await askManyTimes(appId)).toEqual([200]);
    expect(await fetched(appId)).toBe(before + 1);
  });

  it('is forced once when WeChat refuses the one it would give again', async () => {
    const appId = await freshApp();
    expect((await ask(appId)).status).toBe(200);
    await scene.fault(appId, '/wxa/getpaidunionid', { kind: 'errcode', errcode: 42001 });
    expect((await ask(appId)).status).toBe(200);
    // Asked politely, which gave the same, then forced.
    expect(await fetched(appId)).toBe(3);
    expect((await ask(appId)).status).toBe(200);
    expect(await fetched(appId)).toBe(3);
  });

  it('is fetched by the next one when the process that was at it is gone', async () => {
    const appId = await freshApp();
    await scene.acme.database.query(
      `INSERT INTO app_token (app_id, lease_owner, lease_until)
        VALUES ($1, gen_random_uuid(), clock_timestamp() + interval '1 second')`,
      [appId],
    );
    expect(await askManyTimes(appId)).toEqual([200]);
    expect(await fetched(appId)).toBe(1);
  });

  it('leaves no lease behind when WeChat refuses, and is there as soon as it does not', async () => {
    const appId = await freshApp();
    await scene.fault(appId, '/cgi-bin/stable_token', { kind: 'errcode', errcode: -1, times: 3 });
    expect((await ask(appId)).body).toMatchObject({ code: 'wechat_unavailable', wechatErrcode: -1 });
    expect((await ask(appId)).status).toBe(200);
  });

  it('lies sealed in its table', async () => {
    const appId = await freshApp();
    expect((await ask(appId)).status).toBe(200);
    const token = await tokenOf(appId);
    const [row] = await scene.acme.database.query<{ text: string }>(
      `SELECT t::text AS text FROM app_token t WHERE app_id = $1`,
      [appId],
    );
    expect(row?.text.length).toBeGreaterThan(token.length);
    expect(row?.text).not.toContain(token);
    expect(row?.text).not.toContain(Buffer.from(token).toString('hex'));
  });
});
