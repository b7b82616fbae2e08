import { type Acme, ok, startAcme } from './harness/acme.js';
import { type Answer, type Http, http, type Json } from './harness/http.js';
import { type App, startSandbox } from './harness/processes.js';
import { until } from './harness/until.js';
import { sendWithoutEnd } from './push/endless.js';
import {
  enveloped,
  eventOf,
  pushKey,
  pushToken,
  refusedPushes,
  seal,
  seconds,
  type Sent,
  signedQuery,
  unreadable,
} from './push/rubbish.js';
import { authorisation, envelopes, follows, platform } from './push/samples.js';

/** WeChat's own posts, through a WeChat with WeChat's manners, over two API processes. */
describe('What WeChat pushes', () => {
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
    await put('plain', 'service_account', 'plain', 'xml', pushToken);
    await put('rubbish', 'service_account', 'safe', 'xml', pushToken);
    await put('both', 'service_account', 'compatible', 'xml', pushToken);
  });
  afterAll(async () => {
    await acme.stop();
    await sandbox.stop();
  });

  async function put(
    appId: string,
    kind: string,
    mode: string,
    format: string,
    token = `token-of-${appId}`,
  ): Promise<void> {
    const push = { token, encodingAesKey: pushKey, mode };
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

  it('asks WeChat again where it does not know the new follower yet', async () => {
    const who = person();
    await does('follow', who, 'service', { unknownForSeconds: 60 });
    const openId = await openIdOf(who, 'service');
    const due = async (attempt: number): Promise<void> => {
      const sql = `UPDATE follower_lookup SET due_at = clock_timestamp() WHERE open_id = $1 AND attempt = $2 RETURNING 1`;
      const patience = { timeoutMs: 10_000, what: `lookup ${attempt}` };
      await until(async () => (await acme.database.query(sql, [openId, attempt])).length > 0, patience);
    };
    await due(0);
    const asked = `SELECT due_at > clock_timestamp() + interval '30 seconds' AS later FROM follower_lookup WHERE open_id = $1 AND attempt = 1`;
    const again = await until(async () => (await acme.database.query(asked, [openId]))[0] ?? null, {
      timeoutMs: 10_000,
    });
    expect(again).toEqual({ later: true });
    expect((await ownerOf('service', openId)).body.user.unionIds).toEqual([]);
    ok(await wechat.post('/_control/clock', { advanceSeconds: 60 }));
    await due(1);
    await until(async () => (await ownerOf('service', openId)).body.user.unionIds.length === 1, { timeoutMs: 10_000 });
    const waits = async (): Promise<Json[]> =>
      acme.database.query('SELECT 1 FROM follower_lookup WHERE open_id = $1', [openId]);
    await until(async () => (await waits()).length === 0, { timeoutMs: 10_000, what: 'the end of the lookups' });
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

  /** Everything a push may leave behind. */
  const stored = async (): Promise<Json> => {
    const counts = ['push', 'identity', 'users', 'journal', 'subscription', 'follower_lookup'].map(
      (table) => `(SELECT count(*)::int FROM ${table}) AS ${table}`,
    );
    return (await acme.database.query(`SELECT ${counts.join(', ')}`))[0];
  };
  const post = async (appId: string, { query, body, contentType }: Sent): Promise<Answer<Json>> => {
    const headers = { 'content-type': contentType ?? 'text/xml' };
    return acme.anyone().as(undefined).post(`/v1/wechat/push/${appId}?${query}`, body, { headers });
  };

  const asked = (query: string): Promise<Answer<Json>> =>
    acme.anyone().as(undefined).get(`/v1/wechat/push/plain?${query}`);
  const pushed = async (message: object): Promise<void> => {
    const { body } = ok(await wechat.post('/_control/push', { appId: 'game', message }));
    expect(body.pushes).toMatchObject([{ status: 'delivered', lastAnswer: 'success' }]);
  };

  it('refuses what is forged, replayed, bent or foreign, says why, and stores nothing of it', async () => {
    const before = await stored();
    for (const [what, reason, sent] of refusedPushes('rubbish')) {
      const { status, body } = await post('rubbish', sent);
      expect([what, status, body.code, body.reason]).toEqual([what, 403, 'push_signature_invalid', reason]);
    }
    const good = { query: signedQuery(), body: eventOf('oForged') };
    for (const appId of ['nowhere', 'a1', '__proto__', "a'--"]) expect((await post(appId, good)).status).toBe(404);
    for (const query of [good.query.slice(0, -1), good.query.replace(/signature=[^&]*/, 'signature=')])
      expect((await post('plain', { ...good, query })).status).toBe(403);
    const tooLarge = await post('plain', { ...good, body: Buffer.alloc(64 * 1024 + 1, '<') });
    expect([tooLarge.status, tooLarge.body.code]).toEqual([413, 'payload_too_large']);
    expect(await stored()).toEqual(before);
  });

  it('cuts off a body without an end, and holds no more of what waits than it may', async () => {
    const url = `${acme.apis[0]?.url}/v1/wechat/push/plain?${signedQuery()}`;
    expect(await sendWithoutEnd(url, 16 * 1024 * 1024)).toBeLessThan(16 * 1024 * 1024);
    const before = await stored();
    await acme.database.query('BEGIN; LOCK TABLE push');
    const large = Array.from({ length: 400 }, (_, i) =>
      fetch(url, { method: 'POST', body: `${i}${'<'.repeat(60_000)}` }),
    );
    const first = await Promise.race(large);
    await acme.database.query('COMMIT');
    const statuses = (await Promise.all(large)).map(({ status }) => status);
    expect([first.status, first.headers.get('retry-after')]).toEqual([503, '2']);
    expect(await first.json()).toMatchObject({ code: 'unavailable', detail: 'too many pushes are waiting' });
    const taken = statuses.filter((status) => status === 200).length;
    expect(taken).toBeGreaterThan(200);
    expect(statuses.filter((status) => status === 503)).toHaveLength(400 - taken);
    expect(await stored()).toEqual({ ...before, push: before.push + taken });
    await acme.database.query(`DELETE FROM push WHERE app_id = 'plain'`);
  });

  it('proves that the URL is ours, and to nobody who cannot sign', async () => {
    const query = `${signedQuery()}&echostr=4375120948345356249`;
    const answer = await asked(query);
    expect([answer.status, answer.body]).toEqual([200, '4375120948345356249']);
    expect(answer.headers.get('content-type')).toMatch(/^text\/plain/);
    const bad = ['signature=beef&', 'nonce=m&', 'echostr=1&', 'signature=&', 'timestamp=1000000000&'];
    for (const more of bad) expect([more, (await asked(more + query)).status]).toEqual([more, 403]);
    for (const changed of [query.replace(/signature=./, 'signature='), signedQuery(), query.replace(/=\d+$/, '=<b>')])
      expect([changed, (await asked(changed)).status]).toEqual([changed, 403]);
  });

  it('answers success for what WeChat signed and nobody can read, keeps that it came, and shows it', async () => {
    const before = await stored();
    for (const [what, , body] of unreadable) {
      // As WeChat repeats what it thinks unanswered.
      for (const sent of [enveloped(seal(body, 'rubbish')), enveloped(seal(body, 'rubbish'))]) {
        const answer = await post('rubbish', sent);
        expect([what, answer.status, answer.body]).toEqual([what, 200, 'success']);
      }
      const plain = await post('plain', { query: signedQuery(), body });
      expect([what, plain.status, plain.body]).toEqual([what, 200, 'success']);
    }
    const sizes = unreadable.map(([, reason, body]) => `${reason}, ${Buffer.from(body).length} bytes`);
    for (const appId of ['rubbish', 'plain']) {
      const sql = `SELECT status, message, reason FROM push WHERE app_id = $1 ORDER BY id`;
      expect(await acme.database.query(sql, [appId])).toEqual(
        sizes.map((reason) => ({ status: 'parked', message: null, reason })),
      );
    }
    expect(await stored()).toEqual({ ...before, push: before.push + 2 * sizes.length });
    const shown = async (): Promise<boolean> =>
      new RegExp(`^unionlink_parked_pushes ${2 * sizes.length}$`, 'm').test((await acme.operator.get('/metrics')).body);
    await until(shown, { timeoutMs: 30_000, what: 'the parked pushes as a number' });
  });

  it('is the same by whatever way its path is written', async () => {
    const url = `${acme.apis[0]?.url}/v1/wechat/%70ush/plain?${signedQuery()}`;
    const answer = await fetch(url, { method: 'POST', body: eventOf('oByAnotherPath') });
    expect([answer.status, await answer.text()]).toEqual([200, 'success']);
    await until(async () => (await ownerOf('plain', 'oByAnotherPath')).status === 200, { timeoutMs: 10_000 });
  });

  it('makes known who did something, and nobody where WeChat tells the app about itself', async () => {
    const own = 'oWechatItself';
    for (const Event of ['wxa_punish_event', 'weapp_audit_success', 'naming_verify_success', 'never_heard_of'])
      await pushed({ FromUserName: own, Event, appid: 'game', detail: { reasons: ['one', 'two'] } });
    await pushed({ FromUserName: 'oWriter', MsgType: 'text', Content: 'a private word', MsgId: '7' });
    await pushed({ FromUserName: 'oClicker', Event: 'CLICK', EventKey: 'menu-1' });
    await pushed({ FromUserName: 'oHolder', Event: 'user_get_card', UnionId: 'uHolder' });
    for (const openId of ['oWriter', 'oClicker', 'oHolder'])
      await until(async () => (await ownerOf('game', openId)).status === 200, { timeoutMs: 10_000 });
    expect((await acme.resolved('a1', 'oHolderElsewhere', 'uHolder')).user).toMatchObject({
      id: (await ownerOf('game', 'oHolder')).body.user.id,
    });
    const waits = `SELECT 1 FROM push WHERE status = 'waiting'`;
    await until(async () => (await acme.database.query(waits)).length === 0, { timeoutMs: 10_000 });
    expect((await ownerOf('game', own)).status).toBe(404);
    expect(await acme.database.query(`SELECT 1 FROM push p WHERE p::text LIKE '%private word%'`)).toEqual([]);
  });

  it('understands WeChat’s own samples, plain or sealed, in JSON or XML', async () => {
    for (const [n, [mode, sent]] of envelopes.entries()) {
      const [appId, openId] = [mode === 'plain' ? 'plain' : 'rubbish', `oAbCdE000000000000000000000${n}`];
      const happens = async (body: string): Promise<void> => {
        expect(ok(await post(appId, sent(body, appId))).body).toBe('success');
      };
      await happens(follows(openId, 'subscribe', 1700000000, 'qrscene_order_42'));
      await happens(authorisation(appId, openId, 'user_authorization_revoke', { RevokeInfo: '6' }));
      await happens(authorisation(appId, openId, 'user_info_modified'));
      await happens(follows(openId, 'SCAN', 1700000002, 'order_42'));
      await happens(follows(openId, 'unsubscribe', 1700000003, ''));
      await until(async () => (await noticesOf(openId)).length === 4, { timeoutMs: 10_000 });
      expect((await noticesOf(openId)).map((notice) => JSON.stringify(notice)).toSorted()).toEqual([
        '["ConsentRevoked",["6"]]',
        '["ProfileCleared",null]',
        '["SubscriptionChanged",false]',
        '["SubscriptionChanged",true]',
      ]);
      await happens(authorisation(appId, openId, 'user_authorization_cancellation'));
      await until(async () => (await ownerOf(appId, openId)).status === 404, { timeoutMs: 10_000 });
      expect((await ownerOf(appId, platform)).status).toBe(404);
    }
  });

  it('believes the sealed copy, and nothing of what is written beside it', async () => {
    const lie = { FromUserName: 'oLie', CreateTime: seconds(), MsgType: 'event', Event: 'subscribe', UnionID: 'uLie' };
    const xmlLie = Object.entries(lie).map(([name, value]) => `<${name}>${value}</${name}>`);
    const wraps: ((encrypt: string) => string)[] = [
      (Encrypt) => JSON.stringify({ ...lie, Encrypt }),
      (Encrypt) => JSON.stringify({ Encrypt, ...lie }),
      (encrypt) => `<xml>${xmlLie.join('')}<Encrypt><![CDATA[${encrypt}]]></Encrypt></xml>`,
      (encrypt) => `<xml><Encrypt>${encrypt}</Encrypt>${xmlLie.join('')}</xml>`,
    ];
    for (const [n, wrap] of wraps.entries()) {
      const encrypt = seal(eventOf(`oTruth${n}`), 'both');
      const { query } = enveloped(encrypt);
      expect(ok(await post('both', { query, body: wrap(encrypt) })).body).toBe('success');
      await until(async () => (await ownerOf('both', `oTruth${n}`)).status === 200, { timeoutMs: 10_000 });
      for (const [reason, signed, body] of [
        ['not_encrypted', signedQuery(), wrap('')],
        ['no_msg_signature', signedQuery(), wrap(encrypt)],
        ['bad_msg_signature', query, wrap(seal(eventOf('oLie'), 'both'))],
      ] as const) {
        const answer = await post('both', { query: signed, body });
        expect([n, answer.status, answer.body.reason]).toEqual([n, 403, reason]);
      }
      // The same push again, for all that it says beside: known by what is sealed.
      ok(await post('both', { query, body: wrap(encrypt).replace('oLie', 'oOtherLie') }));
    }
    expect(await acme.database.query(`SELECT count(*)::int AS n FROM push WHERE app_id = 'both'`)).toEqual([
      { n: wraps.length },
    ]);
    const liars = `SELECT 1 FROM identity WHERE app_id = 'both' AND open_id NOT LIKE 'oTruth%'`;
    expect(await acme.database.query(liars)).toEqual([]);
  });

  it('refuses what cloud hosting sends: unsigned, anybody could have written it', async () => {
    const hosted = { kind: 'service_account', name: 'plain', openPlatformId: 'op1', cloudHosting: true };
    ok(await acme.operator.put('/v1/entities/acme/apps/plain', hosted));
    const kept = `SELECT count(*)::int AS n FROM push`;
    const before = await acme.database.query(kept);
    const probes = ['{ \n  "action": "CheckContainerPath"\n}', '<xml><action>CheckContainerPath</action></xml>'];
    for (const appId of ['plain', 'both', 'rubbish'])
      for (const body of [...probes, eventOf('oByContainer')])
        for (const headers of [{}, { 'x-wx-source': 'wx', 'x-wx-sources': 'wx', 'x-wx-appid': appId }]) {
          const unsigned = await acme.anyone().as(undefined).post(`/v1/wechat/push/${appId}`, body, { headers });
          expect([appId, body, unsigned.status, unsigned.body.code]).toEqual([
            appId,
            body,
            403,
            'push_signature_invalid',
          ]);
        }
    expect(await acme.database.query(kept)).toEqual(before);
  });

  it('takes a time of the far future for now, and one a little ahead as it is', async () => {
    const ahead = seconds(60);
    for (const [event, createTime] of [
      ['subscribe', '99999999999'],
      ['unsubscribe', ahead],
    ] as const) {
      ok(await post('plain', { query: signedQuery(), body: eventOf('oEarly', event, createTime) }));
      const isHandled = `SELECT 1 FROM subscription WHERE open_id = 'oEarly' AND subscribed = $1`;
      await until(async () => (await acme.database.query(isHandled, [event === 'subscribe'])).length > 0, {
        timeoutMs: 10_000,
        what: `the ${event} to count`,
      });
    }
    const newest = `SELECT extract(epoch FROM changed_at)::bigint::text AS at FROM subscription WHERE open_id = 'oEarly'`;
    expect(await acme.database.query(newest)).toEqual([{ at: ahead }]);
  });

  it('handles each push once, however often and by whichever process it comes', async () => {
    const openId = `oRepeated${person()}`;
    const happens = async (event: string, at: string): Promise<void> => {
      ok(await post('plain', { query: signedQuery(), body: eventOf(openId, event, at) }));
    };
    const countOf = `SELECT count(*)::int AS n FROM push WHERE app_id = 'plain' AND status <> 'parked'`;
    const [before] = await acme.database.query<{ n: number }>(countOf);
    const at = seconds(-20);
    await Promise.all(Array.from({ length: 20 }, () => happens('subscribe', at)));
    await until(async () => (await noticesOf(openId)).length > 0, { timeoutMs: 10_000 });
    // Older than what is known: WeChat's time decides, not the arrival.
    await happens('unsubscribe', seconds(-30));
    await happens('unsubscribe', seconds(-10));
    await until(async () => (await noticesOf(openId)).length > 1, { timeoutMs: 10_000 });
    expect(await noticesOf(openId)).toEqual([
      ['SubscriptionChanged', true],
      ['SubscriptionChanged', false],
    ]);
    expect(await acme.database.query(countOf)).toEqual([{ n: (before?.n ?? 0) + 3 }]);
  });
});
