import { createHash } from 'node:crypto';
import { type Acme, ok, startAcme } from './harness/acme.js';
import { type Answer, type Http, http, type Json } from './harness/http.js';
import { type App, startSandbox } from './harness/processes.js';
import { until } from './harness/until.js';

const signature = (...words: string[]): string => createHash('sha1').update(words.toSorted().join('')).digest('hex');

/** WeChat's own posts, through a WeChat with WeChat's manners, over two API processes. */
describe('What WeChat pushes', () => {
  const aesKey = 'abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG';
  let sandbox: App;
  let wechat: Http;
  let acme: Acme;
  let next = 0;
  const person = (): string => `person-${(next += 1)}`;

  beforeAll(async () => {
    sandbox = await startSandbox();
    wechat = http(sandbox.url);
    acme = await startAcme({ apis: 2, env: { WECHAT_BASE_URL: sandbox.url } });
    await put('service', 'service_account', 'safe', 'xml');
    await put('game', 'mini_program', 'safe', 'json');
    await put('plain', 'service_account', 'plain', 'xml');
  });
  afterAll(async () => {
    await acme.stop();
    await sandbox.stop();
  });

  async function put(appId: string, kind: string, mode: string, format: string): Promise<void> {
    const push = { token: `token-of-${appId}`, encodingAesKey: aesKey, mode };
    const url = `${acme.apis[0]?.url}/v1/wechat/push/${appId}`;
    const app = { kind, secret: `secret-of-${appId}`, openPlatform: 'op1', push: { ...push, url, format } };
    const registered = { kind, name: appId, openPlatformId: 'op1', appSecret: `secret-of-${appId}`, push };
    ok(await acme.operator.put(`/v1/entities/acme/apps/${appId}`, registered));
    ok(await wechat.put(`/_control/apps/${appId}`, app));
  }
  const does = async (what: string, who: string, appId: string, more: object = {}): Promise<void> => {
    ok(await wechat.post(`/_control/${what}`, { person: who, appId, ...more }));
  };
  const openIdOf = async (who: string, appId: string): Promise<string> =>
    ok(await wechat.post('/_control/login', { person: who, appId })).body.openId;
  const ownerOf = (appId: string, openId: string): Promise<Answer<Json>> =>
    acme.anyone().get(`/v1/identities/${appId}/${openId}`);
  const noticesOf = async (openId: string): Promise<Json[]> => {
    const rows = await acme.database.query<{ type: string; data: Json }>(
      `SELECT type, data FROM journal WHERE version IS NULL AND data::text LIKE '%${openId}%' ORDER BY id`,
    );
    return rows.map(({ type, data }) => [type.split('.')[1], data.subscribed ?? data.revoked ?? null]);
  };
  it('makes a follower known, with the unionId that WeChat is then asked for', async () => {
    const who = person();
    await does('follow', who, 'service');
    const openId = await openIdOf(who, 'service');
    const found = await until(
      async () => {
        const { status, body } = await ownerOf('service', openId);
        return status === 200 && body.user.unionIds.length > 0 ? body : null;
      },
      { timeoutMs: 15_000, what: 'the follower with a unionId' },
    );
    const code = ok(await wechat.post('/_control/login', { person: who, appId: 'game' })).body.code;
    const login = ok(await acme.anyone().post('/v1/logins/mini-program', { appId: 'game', code })).body;
    expect(login).toMatchObject({ outcome: 'linked', user: { id: found.user.id } });
    await does('unfollow', who, 'service');
    await until(async () => (await noticesOf(openId)).length === 2, { timeoutMs: 10_000 });
    expect(await noticesOf(openId)).toEqual([
      ['SubscriptionChanged', true],
      ['SubscriptionChanged', false],
    ]);
    expect((await ownerOf('service', openId)).body.user.id).toBe(found.user.id);
  });

  it('tells what was revoked, unlinks who cancels, and erases with the last identity', async () => {
    const who = person();
    const login = async (appId: string, route: string): Promise<Json> => {
      const { code } = ok(await wechat.post('/_control/login', { person: who, appId, scope: 'snsapi_userinfo' })).body;
      return ok(await acme.anyone().post(`/v1/logins/${route}`, { appId, code })).body;
    };
    const { user, identity } = await login('game', 'mini-program');
    await login('service', 'oauth');
    await does('revoke', who, 'game', { revokeInfo: '6' });
    await until(async () => (await noticesOf(identity.openId)).length === 1, { timeoutMs: 10_000 });
    expect(await noticesOf(identity.openId)).toEqual([['ConsentRevoked', ['6']]]);
    await does('cancel', who, 'game');
    await until(async () => (await ownerOf('game', identity.openId)).status === 404, { timeoutMs: 10_000 });
    expect((await acme.user(user.id)).body.identities).toHaveLength(1);
    await does('cancel', who, 'service');
    await until(async () => (await acme.user(user.id)).status === 410, { timeoutMs: 10_000 });
  });

  it('refuses what is forged, stale, foreign or unknown, and stores nothing of it', async () => {
    const before = await acme.database.query('SELECT count(*) FROM push');
    const now = String(Math.floor(Date.now() / 1000));
    const body = '<xml><ToUserName>x</ToUserName><Encrypt>AAAA</Encrypt></xml>';
    const post = (appId: string, query: Record<string, string>): Promise<Answer<Json>> =>
      acme.operator.as(undefined).post(`/v1/wechat/push/${appId}?${new URLSearchParams(query).toString()}`, body, {
        headers: { 'content-type': 'text/xml' },
      });
    const good = {
      timestamp: now,
      nonce: 'n',
      signature: signature('token-of-service', now, 'n'),
      encrypt_type: 'aes',
    };
    for (const query of [
      {},
      { ...good, msg_signature: 'beef' },
      good,
      { ...good, msg_signature: signature('token-of-service', now, 'n', 'AAAA') },
      { ...good, timestamp: '1000000000', msg_signature: signature('token-of-service', '1000000000', 'n', 'AAAA') },
    ]) {
      const answer = await post('service', query);
      expect([answer.status, answer.body.code]).toEqual([403, 'push_signature_invalid']);
    }
    expect((await post('nowhere', good)).status).toBe(404);
    expect((await post('a1', good)).status).toBe(404);
    expect(await acme.database.query('SELECT count(*) FROM push')).toEqual(before);
  });

  it('proves that the URL is ours, and to nobody who cannot sign', async () => {
    const now = String(Math.floor(Date.now() / 1000));
    const asked = (sign: string): Promise<Answer<Json>> =>
      acme.operator
        .as(undefined)
        .get(`/v1/wechat/push/plain?signature=${sign}&timestamp=${now}&nonce=n&echostr=4375120948345356249`);
    const answer = await fetch(
      `${acme.apis[0]?.url}/v1/wechat/push/plain?signature=${signature('token-of-plain', now, 'n')}&timestamp=${now}&nonce=n&echostr=4375120948345356249`,
    );
    expect([answer.status, await answer.text()]).toEqual([200, '4375120948345356249']);
    expect((await asked('beef')).status).toBe(403);
  });

  it('answers success for what WeChat signed and nobody can read, and keeps that it came', async () => {
    const now = String(Math.floor(Date.now() / 1000));
    const query = new URLSearchParams({ timestamp: now, nonce: 'n', signature: signature('token-of-plain', now, 'n') });
    for (const body of ['{"half":', '<xml><a><b></a></xml>', '<!DOCTYPE x [<!ENTITY a "b">]><xml>&a;</xml>']) {
      const answer = await fetch(`${acme.apis[0]?.url}/v1/wechat/push/plain?${query.toString()}`, {
        method: 'POST',
        body,
      });
      expect([body, answer.status, await answer.text()]).toEqual([body, 200, 'success']);
    }
    const parked = await acme.database.query(`SELECT status FROM push WHERE app_id = 'plain' AND status = 'parked'`);
    expect(parked).toHaveLength(3);
  });

  it('handles each push once, however often and by whichever process it comes', async () => {
    const openId = `oRepeated${person()}`;
    const post = async (event: string, at: number): Promise<void> => {
      const now = String(Math.floor(Date.now() / 1000));
      const query = new URLSearchParams({
        timestamp: now,
        nonce: 'n',
        signature: signature('token-of-plain', now, 'n'),
      });
      const body = `<xml><ToUserName><![CDATA[gh_1]]></ToUserName><FromUserName><![CDATA[${openId}]]></FromUserName><CreateTime>${at}</CreateTime><MsgType><![CDATA[event]]></MsgType><Event><![CDATA[${event}]]></Event><EventKey><![CDATA[]]></EventKey></xml>`;
      const url = acme.apis[next % 2]?.url ?? '';
      next += 1;
      expect((await fetch(`${url}/v1/wechat/push/plain?${query.toString()}`, { method: 'POST', body })).status).toBe(
        200,
      );
    };
    const now = Math.floor(Date.now() / 1000);
    await Promise.all(Array.from({ length: 20 }, () => post('subscribe', now - 20)));
    await until(async () => (await noticesOf(openId)).length > 0, { timeoutMs: 10_000 });
    // Older than what is known: WeChat's time decides, not the arrival.
    await post('unsubscribe', now - 30);
    await post('unsubscribe', now - 10);
    await until(async () => (await noticesOf(openId)).length > 1, { timeoutMs: 10_000 });
    expect(await noticesOf(openId)).toEqual([
      ['SubscriptionChanged', true],
      ['SubscriptionChanged', false],
    ]);
    const stored = await acme.database.query(`SELECT 1 FROM push WHERE app_id = 'plain' AND status <> 'parked'`);
    expect(stored).toHaveLength(3);
  });
});
