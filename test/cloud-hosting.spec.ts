import { type Acme, ok, startAcme } from './harness/acme.js';
import type { Answer, Json } from './harness/http.js';
import { refusal } from './harness/wechat-scene.js';

describe('A back end in cloud hosting', () => {
  let acme: Acme;
  let next = 0;

  beforeAll(async () => {
    acme = await startAcme();
    await put('hosted', { cloudHosting: true });
    await put('guest', { cloudHosting: true });
  });
  afterAll(() => acme.stop());

  async function put(appId: string, more: object = {}, kind = 'mini_program'): Promise<Json> {
    const app = { kind, name: appId, openPlatformId: 'op1', ...more };
    return ok(await acme.operator.put(`/v1/entities/acme/apps/${appId}`, app)).body;
  }
  const headersOf = (appId: string, more: object = {}): Record<string, string> => ({
    'X-WX-SOURCE': 'wx_client',
    'X-WX-APPID': appId,
    'X-WX-OPENID': `oHosted${(next += 1)}`,
    'X-WX-UNIONID': `uHosted${next}`,
    ...more,
  });
  const login = (appId: string, headers: Record<string, string>): Promise<Answer<Json>> =>
    acme.operator.post('/v1/logins/cloud-hosting', { appId }, { headers });

  it('logs in whom the headers name, and finds them again by unionId', async () => {
    const headers = headersOf('hosted');
    const { body } = ok(await login('hosted', headers));
    expect(body).toMatchObject({ outcome: 'created', identity: { appId: 'hosted', openId: headers['X-WX-OPENID'] } });
    expect(body.session.token).toMatch(/^ey/);
    const elsewhere = await acme.resolved('a1', `oElsewhere${next}`, headers['X-WX-UNIONID'] ?? null);
    expect(elsewhere.user.id).toBe(body.user.id);
    const history = ok(await acme.operator.get(`/v1/users/${body.user.id}/history`)).body.items;
    expect(JSON.stringify(history.at(-1).evidence)).toContain('cloud_header');
  });

  it('takes the caller of a sharing app under that app', async () => {
    const shared = { 'X-WX-OPENID': '', 'X-WX-UNIONID': '', 'X-WX-FROM-APPID': 'guest', 'X-WX-FROM-OPENID': 'oGuest' };
    const headers = headersOf('hosted', shared);
    expect(ok(await login('guest', headers)).body.identity).toMatchObject({ appId: 'guest', openId: 'oGuest' });
    expect(await refusal(login('hosted', headers))).toEqual([422, 'cloud_headers_invalid', undefined]);
  });

  it('is refused where the app is not switched on, which it is not by itself', async () => {
    expect(await put('plain')).toMatchObject({ cloudHosting: false });
    expect(await refusal(login('plain', headersOf('plain')))).toEqual([403, 'cloud_hosting_off', undefined]);
    expect(await put('plain', { cloudHosting: true })).toMatchObject({ cloudHosting: true });
    // What is left out stays as it was.
    expect(await put('plain')).toMatchObject({ cloudHosting: true });
    expect((await login('plain', headersOf('plain'))).status).toBe(200);
    await put('plain', { cloudHosting: false });
    expect(await refusal(login('plain', headersOf('plain')))).toEqual([403, 'cloud_hosting_off', undefined]);
    await put('account', { cloudHosting: true }, 'service_account');
    expect(await refusal(login('account', headersOf('account')))).toEqual([409, 'wrong_app_kind', undefined]);
  });

  it('is refused when the headers name nobody, and stores nothing', async () => {
    const bad = [
      { 'X-WX-SOURCE': '' },
      { 'X-WX-OPENID': '' },
      { 'X-WX-APPID': 'guest' },
      { 'X-WX-FROM-OPENID': 'oOther', 'X-WX-FROM-APPID': 'hosted' },
      { 'X-WX-OPENID': 'oOne, oTwo' },
    ];
    const before = await acme.database.query('SELECT count(*) FROM identity');
    for (const more of bad)
      expect([more, ...(await refusal(login('hosted', headersOf('hosted', more))))]).toEqual([
        more,
        422,
        'cloud_headers_invalid',
        undefined,
      ]);
    const placeholder = login('hosted', headersOf('hosted', { 'X-WX-OPENID': 'undefined' }));
    expect(await refusal(placeholder)).toEqual([400, 'invalid_request', undefined]);
    const anonymous = acme.operator.as(undefined);
    const answer = await anonymous.post(
      '/v1/logins/cloud-hosting',
      { appId: 'hosted' },
      { headers: headersOf('hosted') },
    );
    expect(answer.status).toBe(401);
    expect(await acme.database.query('SELECT count(*) FROM identity')).toEqual(before);
  });

  it('gets one person for one Idempotency-Key, whatever other headers come under it', async () => {
    const headers = { ...headersOf('hosted'), 'idempotency-key': 'one-key' };
    const first = ok(await login('hosted', headers));
    expect((await login('hosted', headers)).body).toEqual(first.body);
    const other = login('hosted', { ...headers, 'X-WX-OPENID': 'oSomebodyElse' });
    expect(await refusal(other)).toEqual([422, 'idempotency_key_reused', undefined]);
  });

  it('is asked on its own route only: elsewhere the headers say nothing', async () => {
    const observation = { appId: 'hosted', openId: 'oByBody' };
    const headers = headersOf('hosted', { 'X-WX-UNIONID': 'uByHeader' });
    const { body } = ok(await acme.operator.post('/v1/identities/resolve', observation, { headers }));
    expect(body).toMatchObject({ identity: { openId: 'oByBody' }, user: { unionIds: [] } });
    expect((await acme.operator.get(`/v1/identities/hosted/${headers['X-WX-OPENID']}`)).status).toBe(404);
  });
});
