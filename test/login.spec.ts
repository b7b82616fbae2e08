import { createPublicKey, verify } from 'node:crypto';
import { type Acme, ok, startAcme } from './harness/acme.js';
import { type Answer, type Http, http, type Json } from './harness/http.js';
import { type App, startSandbox } from './harness/processes.js';

const read = (part: string): Json => JSON.parse(Buffer.from(part, 'base64url').toString());
const refusal = async (answer: Promise<Answer<Json>>): Promise<unknown[]> => {
  const { status, body } = await answer;
  return [status, body.code, body.wechatErrcode];
};

/** Logging in through a WeChat with WeChat's manners, over two API processes. */
describe('Logging in with a code', () => {
  let sandbox: App;
  let wechat: Http;
  let acme: Acme;
  let next = 0;

  beforeAll(async () => {
    sandbox = await startSandbox();
    wechat = http(sandbox.url);
    acme = await startAcme({ apis: 2, env: { WECHAT_BASE_URL: sandbox.url } });
    const put = async (appId: string, kind: string, openPlatform: string | null): Promise<void> => {
      ok(await wechat.put(`/_control/apps/${appId}`, { kind, secret: `secret-of-${appId}`, openPlatform }));
      const app = { kind, name: appId, openPlatformId: openPlatform, appSecret: `secret-of-${appId}` };
      ok(await acme.operator.put(`/v1/entities/acme/apps/${appId}`, app));
    };
    await put('game', 'mini_program', 'op1');
    await put('loose', 'mini_program', null);
    await put('service', 'service_account', 'op1');
    await put('site', 'website_app', 'op1');
  });
  afterAll(async () => {
    await acme.stop();
    await sandbox.stop();
  });

  const person = (): string => `person-${(next += 1)}`;
  const codeOf = async (who: string, appId: string, more: object = {}): Promise<Json> =>
    ok(await wechat.post('/_control/login', { person: who, appId, ...more })).body;
  const miniProgram = (appId: string, code: string, more: object = {}): Promise<Answer<Json>> =>
    acme.anyone().post('/v1/logins/mini-program', { appId, code, ...more });
  const oauth = (appId: string, code: string): Promise<Answer<Json>> =>
    acme.anyone().post('/v1/logins/oauth', { appId, code });
  const fault = async (body: object): Promise<void> => {
    ok(await wechat.post('/_faults', { times: 1, ...body }));
  };

  it('leads one person from two apps to one user', async () => {
    const who = person();
    const first = ok(await miniProgram('game', (await codeOf(who, 'game')).code)).body;
    expect(first.outcome).toBe('created');
    const second = ok(await oauth('service', (await codeOf(who, 'service', { scope: 'snsapi_userinfo' })).code)).body;
    expect(second).toMatchObject({ outcome: 'linked', user: { id: first.user.id } });
  });

  it('gives a token that anybody can check with the published keys, and that names no openId', async () => {
    const { code, openId } = await codeOf(person(), 'game');
    const { session, user } = ok(await miniProgram('game', code)).body;
    const [header = '', payload = '', signature = ''] = session.token.split('.');
    const { keys } = ok(await http(acme.apis[1]?.url ?? '').get('/.well-known/jwks.json')).body;
    const key = keys.find(({ kid }: Json) => kid === read(header).kid);
    const signed = Buffer.from(`${header}.${payload}`);
    const publicKey = createPublicKey({ key, format: 'jwk' });
    expect(verify(null, signed, publicKey, Buffer.from(signature, 'base64url'))).toBe(true);
    expect(read(header).alg).toBe('EdDSA');
    expect(read(payload)).toMatchObject({ sub: user.id, aud: 'acme', app: 'game' });
    expect(read(payload).exp * 1000 - Date.now()).toBeLessThan(3 * 24 * 3600 * 1000);
    expect(Buffer.from(payload, 'base64url').toString()).not.toContain(openId);
  });

  it('answers the same code the same way, at once and on another process, with a fresh token', async () => {
    const { code } = await codeOf(person(), 'game');
    const answers = await Promise.all(Array.from({ length: 10 }, () => miniProgram('game', code)));
    expect(answers.map(({ status }) => status)).toEqual(Array(10).fill(200));
    const { session: _session, ...outcome } = ok(answers[0] ?? (await miniProgram('game', code))).body;
    for (const { body } of answers) expect(body).toMatchObject(outcome);
    expect(new Set(answers.map(({ body }) => body.session.token)).size).toBe(10);
  });

  it('tells refusals apart', async () => {
    const { code } = await codeOf(person(), 'game');
    expect(await refusal(miniProgram('loose', code))).toEqual([401, 'code_invalid', 40029]);
    expect(await refusal(miniProgram('game', 'made-up'))).toEqual([401, 'code_invalid', 40029]);
    expect(await refusal(oauth('game', code))).toEqual([409, 'wrong_app_kind', undefined]);
    expect(await refusal(miniProgram('nowhere', code))).toEqual([404, 'app_not_found', undefined]);
    const endpoint = '/sns/jscode2session';
    const faulty = async (errcode: number): Promise<unknown[]> => {
      await fault({ endpoint, appId: 'game', kind: 'errcode', errcode });
      return refusal(miniProgram('game', (await codeOf(person(), 'game')).code));
    };
    expect(await faulty(40163)).toEqual([401, 'code_invalid', 40163]);
    expect(await faulty(40226)).toEqual([403, 'wechat_user_blocked', 40226]);
    expect(await faulty(-1)).toEqual([502, 'wechat_unavailable', -1]);
  });

  it('never sends a code twice, even where the answer was lost', async () => {
    const { code } = await codeOf(person(), 'game');
    await fault({ endpoint: '/sns/jscode2session', appId: 'game', kind: 'lost-answer' });
    const lost = await miniProgram('game', code);
    expect([lost.status, lost.body.code]).toEqual([502, 'wechat_unavailable']);
    const again = await miniProgram('game', code);
    expect([again.status, again.body.code]).toEqual([502, 'wechat_unavailable']);
  });

  it('refuses a snapshot user before anything is stored', async () => {
    const { code, openId } = await codeOf(person(), 'service', { scope: 'snsapi_userinfo', snapshot: true });
    const { status, body } = await oauth('service', code);
    expect([status, body.code]).toEqual([422, 'snapshot_user']);
    expect((await acme.operator.get(`/v1/identities/service/${openId}`)).status).toBe(404);
  });

  it('takes client data as a second source that confirms and never links', async () => {
    const { code, encryptedData, iv, rawData, signature } = await codeOf(person(), 'game');
    expect((await miniProgram('game', code, { encryptedData, iv, rawData, signature })).status).toBe(200);
    for (const bad of [
      { encryptedData: '', iv: '' },
      { encryptedData: 'AAAA', iv },
      { rawData, signature: 'beef' },
    ]) {
      const other = await codeOf(person(), 'game');
      const { status, body } = await miniProgram('game', other.code, bad);
      expect([status, body.code]).toEqual([422, 'encrypted_data_invalid']);
      expect((await acme.operator.get(`/v1/identities/game/${other.openId}`)).status).toBe(404);
    }
  });

  it('lets no secret, session key or code into an answer, a table or the log', async () => {
    const { code } = await codeOf(person(), 'game');
    const { body } = ok(await miniProgram('game', code));
    expect(JSON.stringify(body)).not.toContain(code);
    const tables = await acme.database.query<{ name: string }>(
      `SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE'`,
    );
    for (const { name } of tables)
      for (const text of [code, 'secret-of-game'])
        expect([name, await acme.database.query(`SELECT 1 FROM ${name} t WHERE t::text LIKE '%${text}%'`)]).toEqual([
          name,
          [],
        ]);
    for (const api of acme.apis)
      for (const line of api.logs()) expect(JSON.stringify(line)).not.toMatch(/secret-of-|session_key/);
  });
});
