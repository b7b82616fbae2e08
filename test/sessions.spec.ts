import { Client } from 'pg';
import { ok } from './harness/acme.js';
import { runCli } from './harness/cli.js';
import { type Answer, type Http, http, type Json } from './harness/http.js';
import { until } from './harness/until.js';
import { startWechatScene, type WechatScene } from './harness/wechat-scene.js';

const patience = { timeoutMs: 60_000 };
const read = (part: string): Json => JSON.parse(Buffer.from(part, 'base64url').toString());

/** Keys that come and go, and sessions that are taken back, over two API processes. */
describe('Sessions', () => {
  let scene: WechatScene;
  let stranger: Http;
  let next = 0;

  beforeAll(async () => {
    scene = await startWechatScene();
    await scene.put('game', 'mini_program', 'op1');
    await scene.put('shop', 'mini_program', 'op1');
    ok(await scene.acme.operator.put('/v1/entities/other', { name: 'Other' }));
    const all = { entityId: 'other', name: 'all', scopes: ['ingest', 'read', 'merge', 'admin'] };
    stranger = scene.acme.operator.as(ok(await scene.acme.operator.post('/v1/api-keys', all)).body.key);
  });
  afterAll(() => scene.stop());

  const person = (): string => `person-${(next += 1)}`;
  const login = async (who = person(), appId = 'game'): Promise<Json> => {
    const { code } = await scene.codeOf(who, appId);
    const { user, session } = ok(await scene.login('mini-program', appId, code)).body;
    const [header = '', payload = ''] = session.token.split('.');
    return { userId: user.id, kid: read(header).kid, ...read(payload) };
  };
  const published = async (api: number): Promise<string[]> => {
    const { headers, body } = ok(await http(scene.acme.apis[api]?.url ?? '').get('/.well-known/jwks.json'));
    expect(headers.get('cache-control')).toBe('public, max-age=300');
    for (const key of body.keys) expect(Object.keys(key).toSorted()).toEqual(['alg', 'crv', 'kid', 'kty', 'use', 'x']);
    return body.keys.map(({ kid }: Json) => kid);
  };
  const cli = (...args: string[]): ReturnType<typeof runCli> => runCli(scene.acme.database.url, args);
  const list = async (since?: string): Promise<Json> =>
    ok(await scene.acme.anyone().get(`/v1/sessions/revocations${since === undefined ? '' : `?since=${since}`}`)).body;
  const revoke = (body: object): Promise<Answer<Json>> => scene.acme.anyone().post('/v1/sessions/revocations', body);
  /** The waiting key begins now, instead of in an hour; whoever is asked for the keys has noticed. */
  const begin = async (): Promise<void> => {
    await scene.acme.database.query(
      `UPDATE signing_key SET signs_from = least(signs_from, clock_timestamp()),
        retired_at = CASE WHEN retired_at IS NOT NULL THEN least(retired_at, clock_timestamp()) END`,
    );
    await Promise.all([published(0), published(1)]);
  };

  it('publishes a new key before it signs, and the old one for as long as its tokens live', async () => {
    const { kid: old } = await login();
    const [one, other] = await Promise.all([cli('keys', 'rotate'), cli('keys', 'rotate')]);
    expect(one.code + other.code).toBe(1);
    const made = (await published(0)).find((kid) => kid !== old) ?? '';
    expect(await published(0)).toEqual([made, old]);
    expect(await published(1)).toEqual([made, old]);
    expect((await login()).kid).toBe(old);
    await begin();
    for (let turn = 0; turn < 4; turn += 1) expect((await login()).kid).toBe(made);
    expect(await published(1)).toEqual([made, old]);
    await scene.acme.database.query(
      `UPDATE signing_key SET retired_at = retired_at - interval '3 days' WHERE kid = $1`,
      [old],
    );
    expect(await published(0)).toEqual([made]);
  });

  it('rotates by itself when the key is a month old', async () => {
    const before = await published(0);
    await scene.acme.database.query(
      `UPDATE signing_key SET signs_from = clock_timestamp() - interval '31 days' WHERE retired_at IS NULL`,
    );
    await until(async () => (await published(1)).length > before.length, { ...patience, what: 'a new key' });
    const [newest = ''] = await published(0);
    expect(before).not.toContain(newest);
    expect(before).toContain((await login()).kid);
    await begin();
    const [, leaked = ''] = await published(0);
    expect((await cli('keys', 'withdraw', newest)).code).toBe(1);
    expect((await cli('keys', 'withdraw', leaked)).code).toBe(0);
    expect(await published(1)).not.toContain(leaked);
  });

  it('revokes what was issued to a user until now, under every id of the person, and not what comes after', async () => {
    const start = (await list()).nextCursor;
    const [a, b] = [await login(), await login()];
    const merge = { targetUserId: b.userId, sourceUserIds: [a.userId], reason: 'spec', allowDifferentUnionIds: true };
    expect(ok(await scene.acme.operator.post('/v1/merges', merge)).body.results[0].outcome).toBe('merged');
    expect((await list(start)).items).toEqual([]);
    const revoked = ok(await revoke({ userId: a.userId })).body;
    expect(revoked.userId).toBe(b.userId);
    const { items, nextCursor } = await list(start);
    expect(new Set(items.map(({ userId }: Json) => userId))).toEqual(new Set([a.userId, b.userId]));
    for (const item of items) {
      expect(a.iat).toBeLessThan(Date.parse(item.issuedBefore) / 1000);
      expect(Date.parse(item.issuedBefore) - Date.now()).toBeLessThanOrEqual(1_000);
      expect(Date.parse(item.expiresAt) / 1000).toBeGreaterThanOrEqual(b.exp);
    }
    ok(await revoke({ userId: b.userId }));
    expect((await list(nextCursor)).items).toHaveLength(2);
    expect((await list()).items.filter(({ userId }: Json) => userId === b.userId)).toHaveLength(1);
  });

  it('revokes one token, and with an erasure every one of the person', async () => {
    const start = (await list()).nextCursor;
    const { jti, userId } = await login();
    ok(await revoke({ jti, entityId: 'acme' }));
    expect((await list(start)).items).toContainEqual({ jti, expiresAt: expect.any(String) });
    expect((await scene.acme.operator.delete(`/v1/users/${userId}?reason=spec`)).status).toBe(202);
    expect((await list(start)).items).toContainEqual(expect.objectContaining({ userId }));
    expect((await revoke({ userId })).status).toBe(410);
  });

  it('skips nothing that commits late, and drops what can mean no living token', async () => {
    const [late, early] = [await login(), await login()];
    const client = new Client({ connectionString: scene.acme.database.url });
    await client.connect();
    await client.query('BEGIN');
    await client.query(
      `INSERT INTO session_revocation (entity_id, user_id, issued_before, expires_at) VALUES ('acme', $1, now(), now() + interval '1 hour')`,
      [late.userId],
    );
    ok(await revoke({ userId: early.userId }));
    const first = await list();
    await client.query('COMMIT');
    await client.end();
    const shown = (await list(first.nextCursor)).items.map(({ userId }: Json) => userId);
    expect(shown).toContain(late.userId);
    await scene.acme.database.query(`UPDATE session_revocation SET expires_at = now() WHERE user_id = $1`, [
      late.userId,
    ]);
    expect((await list()).items.map(({ userId }: Json) => userId)).not.toContain(late.userId);
    await scene.acme.database.query('UPDATE installation SET epoch = epoch + 1');
    expect((await list(`1.9999999999999999999`)).items.length).toBeGreaterThan(0);
    await scene.acme.database.query('UPDATE installation SET epoch = epoch - 1');
  });

  it('shows and takes back nothing of another entity', async () => {
    const { userId, jti } = await login();
    const body = { userId };
    expect((await stranger.post('/v1/sessions/revocations', body)).body.code).toBe('user_not_found');
    expect((await stranger.post('/v1/sessions/revocations', { jti, entityId: 'acme' })).body.code).toBe(
      'entity_not_found',
    );
    ok(await revoke(body));
    expect((await stranger.get('/v1/sessions/revocations')).body.items).toEqual([]);
    for (const bad of [{}, { userId, jti }, { jti }, { userId: 'x' }])
      expect([bad, (await revoke(bad)).status]).toEqual([bad, 400]);
    for (const since of ['x', '1', '1.99999999999999999999', ''])
      expect([since, (await scene.acme.operator.get(`/v1/sessions/revocations?since=${since}`)).status]).toEqual([
        since,
        400,
      ]);
  });
});
