import { type Acme, ok, startAcme } from './harness/acme.js';
import { runCli } from './harness/cli.js';
import type { Answer, Http, Json } from './harness/http.js';
import { until } from './harness/until.js';

/** What those who run it do to it: keys that change hands, and who did what. */
describe('Administering', () => {
  let acme: Acme;
  let admin: Http;
  let adminId: string;

  beforeAll(async () => {
    acme = await startAcme();
    ok(await acme.operator.put('/v1/entities/other', { name: 'Other' }));
    const made = await keyOf('acme', ['admin', 'read']);
    adminId = made.id;
    admin = acme.operator.as(made.key);
  });
  afterAll(() => acme.stop());

  async function keyOf(entityId: string, scopes: string[], more: object = {}): Promise<Json> {
    return ok(await acme.operator.post('/v1/api-keys', { entityId, name: 'k', scopes, ...more })).body;
  }
  const rotate = (id: string, body: object = {}, by = admin): Promise<Answer<Json>> =>
    by.post(`/v1/api-keys/${id}/rotate`, body);
  const works = async (key: string): Promise<boolean> => (await acme.anyone().as(key).get('/v1/users')).status === 200;
  const audit = async (query = '', by = admin): Promise<Json[]> =>
    ok(await by.get(`/v1/audit?limit=200${query}`)).body.items;

  it('rotates a key: the new one has the same rights, the old one goes on for a while', async () => {
    const old = await keyOf('acme', ['read', 'ingest']);
    const rotated = await rotate(old.id);
    expect(rotated.status).toBe(201);
    const { key, previousExpiresAt, ...shown } = rotated.body;
    expect(shown).toMatchObject({ replaces: old.id, name: 'k', scopes: old.scopes, entityId: 'acme', expiresAt: null });
    expect(shown.prefix).toBe(key.slice(0, 12));
    const grace = Date.parse(previousExpiresAt) - Date.now();
    expect(grace / 3_600_000).toBeCloseTo(24, 0);
    expect([await works(old.key), await works(key)]).toEqual([true, true]);
    const again = await rotate(old.id);
    expect([again.status, again.body.code, again.body.replacedBy]).toEqual([409, 'api_key_rotated', shown.id]);
  });

  it('ends the old key at once where no grace is given, and never later than it would have ended', async () => {
    const old = await keyOf('acme', ['read']);
    const { key } = ok(await rotate(old.id, { graceSeconds: 0 })).body;
    await until(async () => !(await works(old.key)) && !(await works(old.key)), {
      timeoutMs: 60_000,
      what: 'both processes to refuse the old key',
    });
    expect(await works(key)).toBe(true);
    const expiresAt = new Date(Date.now() + 3_600_000).toISOString();
    const short = await keyOf('acme', ['read'], { expiresAt });
    expect(ok(await rotate(short.id, { graceSeconds: 604_800 })).body).toMatchObject({
      previousExpiresAt: expiresAt,
      expiresAt,
    });
    for (const graceSeconds of [-1, 604_801, 1.5, '1'])
      expect((await rotate(short.id, { graceSeconds })).status).toBe(400);
    const foreign = await keyOf('other', ['read']);
    for (const id of [foreign.id, old.id, 'nothing']) expect((await rotate(id)).body.code).toBe('api_key_not_found');
  });

  it('makes one successor however many ask at once', async () => {
    const old = await keyOf('acme', ['read']);
    const answers = await Promise.all(Array.from({ length: 8 }, () => rotate(old.id)));
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 409)).toHaveLength(7);
  });

  it('finds a key by how it begins', async () => {
    const wanted = await keyOf('acme', ['read']);
    const found = async (prefix: string, by = admin): Promise<string[]> =>
      ok(await by.get(`/v1/api-keys?prefix=${prefix}`)).body.items.map(({ id }: Json) => id);
    expect(await found(wanted.key.slice(0, 12))).toEqual([wanted.id]);
    expect(await found('ulk_', acme.operator)).toContain(wanted.id);
    expect(await found('ulkX')).toEqual([]);
    const foreign = await keyOf('other', ['read']);
    expect(await found(foreign.key.slice(0, 12))).toEqual([]);
    expect(await found(foreign.key.slice(0, 12), acme.operator)).toEqual([foreign.id]);
    expect((await admin.get(`/v1/api-keys?prefix=${wanted.key}`)).status).toBe(400);
  });

  it('writes down who did what, never a secret, and nothing where nothing changed', async () => {
    const app = { kind: 'mini_program', name: 'Shop', openPlatformId: 'op1', appSecret: 'a-secret-of-the-shop' };
    const put = (body: object): Promise<Answer<Json>> => admin.put('/v1/entities/acme/apps/wx1', body);
    ok(await put(app));
    const { appSecret: _secret, ...shown } = app;
    const moved = await admin.put('/v1/entities/acme/apps/wx1', { ...shown, openPlatformId: 'op2' });
    ok(moved);
    ok(await put({ ...shown, openPlatformId: 'op2' }));
    const deeds = await audit('&subject=wx1');
    expect(deeds.map(({ action, details }) => [action, details])).toEqual([
      ['app.changed', { changed: { openPlatformId: { from: 'op1', to: 'op2' } }, set: [] }],
      ['app.registered', expect.objectContaining({ set: ['appSecret'] })],
    ]);
    const requestId = moved.headers.get('x-request-id');
    expect(deeds[0]).toMatchObject({ actor: `key:${adminId}`, entityId: 'acme', requestId });
    const made = await keyOf('acme', ['read']);
    const rotated = ok(await rotate(made.id)).body;
    ok(await admin.delete(`/v1/api-keys/${rotated.id}`));
    ok(await admin.put('/v1/participants/points', { acknowledges: ['merge'] }));
    ok(await admin.put('/v1/entities/acme/open-platforms/op1', { name: 'Renamed' }));
    const { user } = await acme.resolved('a1', 'somebody-there');
    ok(await admin.post('/v1/sessions/revocations', { userId: user.id }));
    const actions = (await audit(`&actor=key:${adminId}`)).map(({ action, subject }) => `${action} ${subject}`);
    expect(actions.slice(0, 5)).toEqual([
      `sessions.revoked ${user.id}`,
      'open_platform.changed op1',
      'participant.registered points',
      `api_key.revoked ${rotated.id}`,
      `api_key.rotated ${made.id}`,
    ]);
    const everything = JSON.stringify(await audit('', acme.operator));
    for (const secret of ['a-secret-of-the-shop', made.key, rotated.key]) expect(everything).not.toContain(secret);
  });

  it('shows an entity its own, in pages that hold each once, and the operator all', async () => {
    const paged: Json[] = [];
    let cursor: string | null = '';
    while (cursor !== null) {
      const { items, nextCursor }: Json = ok(await admin.get(`/v1/audit?limit=3${cursor && `&cursor=${cursor}`}`)).body;
      paged.push(...items);
      cursor = nextCursor;
    }
    expect(paged).toEqual(await audit());
    expect(new Set(paged.map(({ entityId }) => entityId))).toEqual(new Set(['acme']));
    const ofOther = await audit('&entityId=other', acme.operator);
    expect(ofOther.map(({ action }) => action)).toContain('entity.registered');
    expect((await admin.get('/v1/audit?entityId=other')).body.code).toBe('entity_not_found');
    const { at } = ofOther[0];
    expect(await audit(`&entityId=other&to=${at}`, acme.operator)).toEqual(ofOther.filter((deed) => deed.at < at));
    expect((await runCli(acme.database.url, ['keys', 'rotate'])).code).toBe(0);
    expect((await audit('&action=signing_key.rotated', acme.operator))[0]).toMatchObject({
      actor: 'command line',
      entityId: null,
    });
    expect(await audit('&action=signing_key.rotated')).toEqual([]);
  });
});
