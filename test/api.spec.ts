import { type Acme, ok, startAcme } from './harness/acme.js';
import type { Answer, Http, Json } from './harness/http.js';
import { inLanes } from './harness/lanes.js';
import { counted, shortOrWhole } from './harness/torture.js';
import { until } from './harness/until.js';

/** Users a page. */
const limit = 20;
const pace = { timeoutMs: 60_000, intervalMs: 5 };

/** What every caller may rely on, whatever the route: problems, access, idempotency, paging, the feed. */
describe('The API', () => {
  let acme: Acme;
  let stranger: Http;
  let next = 0;
  const fresh = (letter: string): string => `${letter}${(next += 1)}-${'xyz'.repeat(3)}`;

  beforeAll(async () => {
    acme = await startAcme();
    ok(await acme.operator.put('/v1/entities/other', { name: 'Other' }));
    const all = { entityId: 'other', name: 'all', scopes: ['ingest', 'read', 'merge', 'admin'] };
    stranger = acme.operator.as(ok(await acme.operator.post('/v1/api-keys', all)).body.key);
  });
  afterAll(() => acme.stop());

  it('answers bad input with a problem document that says which field, and stores nothing', async () => {
    const before = await acme.database.query('SELECT count(*) FROM identity');
    const resolve = (body: unknown, headers = {}): Promise<Answer<Json>> =>
      acme.operator.post('/v1/identities/resolve', body, { headers });
    const cases: [unknown, object, number, string][] = [
      ['{"appId": "a1"', {}, 400, 'invalid_request'],
      ['', {}, 400, 'invalid_request'],
      ['[]', {}, 400, 'invalid_request'],
      ['null', {}, 400, 'invalid_request'],
      ['{"__proto__": {"x": 1}, "appId": "a1", "openId": "o1"}', {}, 400, 'invalid_request'],
      [{ appId: 'a1', openId: 'o\u0000' }, {}, 400, 'invalid_request'],
      ['{"appId":"a1","openId":"\\ud800"}', {}, 400, 'invalid_request'],
      [{ appId: 'a1', openId: 'o'.repeat(10_000) }, {}, 400, 'invalid_request'],
      [{ appId: 'a1', openId: 5 }, {}, 400, 'invalid_request'],
      [{ appId: 'a1', openId: { $ne: null } }, {}, 400, 'invalid_request'],
      [{ appId: 'a1', openId: 'o12', unionId: 'has space' }, {}, 400, 'invalid_request'],
      [{ appId: 'a1', openId: 'o12', observedAt: 'yesterday' }, {}, 400, 'invalid_request'],
      [{ appId: 'a1', openId: 'o12', observedAt: '2026-13-45T00:00:00Z' }, {}, 400, 'invalid_request'],
      [{ appId: 'a1', openId: 'o12', more: true }, {}, 400, 'invalid_request'],
      [{ appId: 'unknown-app', openId: 'o12' }, {}, 404, 'app_not_found'],
      [{ appId: 'a1', openId: 'o12', isSnapshotUser: true }, {}, 422, 'snapshot_user'],
      ['appId=a1', { 'content-type': 'application/x-www-form-urlencoded' }, 415, 'unsupported_media_type'],
      [{ appId: 'a1', openId: 'x'.repeat(1_200_000) }, {}, 413, 'payload_too_large'],
    ];
    for (const [body, headers, status, code] of cases) {
      const answer = await resolve(body, headers);
      expect([body, answer.status, answer.body.code]).toEqual([body, status, code]);
      expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/);
      expect(answer.body).toMatchObject({ type: expect.any(String), title: expect.any(String), status });
      expect(answer.body.requestId).toBe(answer.headers.get('x-request-id'));
    }
    expect((await resolve({ appId: 'a1', openId: 'o12', more: true })).body.errors).toEqual([
      { path: 'more', message: expect.any(String) },
    ]);
    expect(await acme.database.query('SELECT count(*) FROM identity')).toEqual(before);
  });

  it('answers what is no route, and what is no URL, as a problem too', async () => {
    for (const path of ['/v1/nowhere', '/v1/users/%ff', '/v1/users/not-an-id', `/v1/users/${'9'.repeat(400)}`]) {
      const { status, headers, body } = await acme.operator.get(path);
      expect([path, [400, 404].includes(status), typeof body.code]).toEqual([path, true, 'string']);
      expect(headers.get('content-type')).toMatch(/^application\/problem\+json/);
      expect([path, body.requestId]).toEqual([path, headers.get('x-request-id')]);
    }
    for (const query of ['limit=0', 'limit=201', 'limit=x', 'unknown=1', 'cursor=rubbish', 'limit=1&limit=2'])
      expect([query, (await acme.operator.get(`/v1/users?${query}`)).status]).toEqual([query, 400]);
  });

  it('takes null in an optional field for a field left out', async () => {
    const request = { entityId: 'acme', name: 'for ever', scopes: ['read'], expiresAt: null };
    const { body } = ok(await acme.operator.post('/v1/api-keys', request));
    expect(body.expiresAt).toBeNull();
    expect((await acme.operator.as(body.key).get('/v1/users')).status).toBe(200);
    const nobody = await acme.operator.post('/v1/sessions/revocations', { userId: null });
    expect([nobody.status, nobody.body.code]).toEqual([400, 'invalid_request']);
  });

  it('shows a stranger nothing of another entity, and not even that it is there', async () => {
    const { user, identity } = await acme.resolved('a1', fresh('o'), fresh('u'));
    const nobody = '01900000-0000-7000-8000-000000000000';
    const asked: [string, string][] = [
      [`/v1/users/${user.id}`, `/v1/users/${nobody}`],
      [`/v1/users/${user.id}/history`, `/v1/users/${nobody}/history`],
      [`/v1/users/${user.id}/openid?appId=a1`, `/v1/users/${nobody}/openid?appId=a1`],
      [`/v1/identities/a1/${identity.openId}`, `/v1/identities/a1/${fresh('o')}`],
      ['/v1/entities/acme', '/v1/entities/nowhere'],
      ['/v1/entities/acme/apps/a1', '/v1/entities/nowhere/apps/a1'],
    ];
    for (const [theirs, none] of asked) {
      const [one, other] = [await stranger.get(theirs), await stranger.get(none)];
      const { requestId: _one, ...left } = one.body;
      const { requestId: _other, ...right } = other.body;
      expect([theirs, one.status, left]).toEqual([theirs, other.status, right]);
      expect(one.status).toBe(404);
    }
    expect((await stranger.post('/v1/identities/resolve', { appId: 'a1', openId: 'o1234' })).body.code).toBe(
      'app_not_found',
    );
    expect((await stranger.get('/v1/users')).body.items).toEqual([]);
    expect((await stranger.get('/v1/events')).body.items).toEqual([]);
    const lookup = await stranger.post('/v1/users/lookup', { ids: [user.id] });
    expect(lookup.body.results).toEqual([{ id: user.id, status: 'unknown', userId: null }]);
    const merge = { targetUserId: user.id, sourceUserIds: [nobody], reason: 'spec' };
    expect((await stranger.post('/v1/merges', merge)).body.code).toBe('user_not_found');
    expect((await stranger.put('/v1/entities/other/apps/a1', { kind: 'mini_game', name: 'x' })).body.code).toBe(
      'app_id_taken',
    );
  });

  it('lets a key do what its scopes say and no more', async () => {
    const keyOf = async (scopes: string[], more: object = {}): Promise<Json> =>
      ok(await acme.operator.post('/v1/api-keys', { entityId: 'acme', name: 'k', scopes, ...more })).body;
    const reader = await keyOf(['read']);
    const asReader = acme.operator.as(reader.key);
    expect((await asReader.get('/v1/users')).status).toBe(200);
    const refused = await asReader.post('/v1/identities/resolve', { appId: 'a1', openId: 'o1234' });
    expect([refused.status, refused.body.code]).toEqual([403, 'forbidden']);
    expect((await asReader.put('/v1/entities/new', { name: 'x' })).status).toBe(403);
    for (const key of [undefined, 'nonsense', `${reader.key}x`]) {
      const answer = await acme.operator.as(key).get('/v1/users');
      expect([answer.status, answer.body.code]).toEqual([401, 'unauthenticated']);
    }
    const expired = await keyOf(['read'], { expiresAt: new Date(Date.now() - 1000).toISOString() });
    expect((await acme.operator.as(expired.key).get('/v1/users')).status).toBe(401);
    expect((await acme.operator.delete(`/v1/api-keys/${reader.id}`)).status).toBe(204);
    expect((await asReader.get('/v1/users')).status).toBe(401);
    const listed = await acme.operator.get('/v1/api-keys?limit=200');
    expect(JSON.stringify(listed.body)).not.toContain(reader.key);
  });

  it('executes a request with an Idempotency-Key once, whoever asks and however often', async () => {
    const [a, b] = [await acme.resolved('a1', fresh('o')), await acme.resolved('a2', fresh('o'))];
    const headers = { 'idempotency-key': fresh('key') };
    const merge = (reason: string): Promise<Answer<Json>> =>
      acme.anyone().post('/v1/merges', { targetUserId: b.user.id, sourceUserIds: [a.user.id], reason }, { headers });
    const answers = await Promise.all(Array.from({ length: 20 }, () => merge('one')));
    expect(answers.every(({ status }) => status === 200)).toBe(true);
    expect(new Set(answers.map(({ body }) => JSON.stringify(body))).size).toBe(1);
    expect(answers[0]?.body.results[0].outcome).toBe('merged');
    expect(answers.filter((answer) => answer.headers.get('idempotency-replayed') === 'true')).toHaveLength(19);
    const other = await merge('another');
    expect([other.status, other.body.code]).toEqual([422, 'idempotency_key_reused']);
    const refused = { headers: { 'idempotency-key': fresh('key') } };
    const first = await acme.operator.delete('/v1/identities/a1/nobody-at-all', refused);
    const second = await acme.operator.delete('/v1/identities/a1/nobody-at-all', refused);
    expect([first.status, second.status, second.body]).toEqual([404, 404, first.body]);
    const tooLong = { headers: { 'idempotency-key': 'x'.repeat(256) } };
    expect((await acme.operator.post('/v1/identities/resolve', { appId: 'a1', openId: 'o1234' }, tooLong)).status).toBe(
      400,
    );
  });

  it(
    'pages through live users while merges run, each exactly once',
    async () => {
      const [users, merges] = [shortOrWhole(300, 5_000), shortOrWhole(100, 1_000)];
      const ids: string[] = [];
      await inLanes(users, 64, async () => void ids.push((await acme.resolved('a3', fresh('o'))).user.id));
      const isGoing = (index: number): boolean => index % (users / merges) === 0;
      const [staying, going] = [true, false].map((stays) => ids.filter((_, index) => isGoing(index) !== stays)) as [
        string[],
        string[],
      ];
      let [pages, merged] = [0, 0];
      // Neither runs ahead of the other: some of those who go have been seen by then, and some have not.
      const merging = inLanes(merges, 4, async (index) => {
        await until(() => pages > (index * users) / merges / limit - 2, pace);
        const [targetUserId, sourceUserIds] = [staying[index % 20], [going[(index * 7) % merges]]];
        const { body } = ok(await acme.anyone().post('/v1/merges', { targetUserId, sourceUserIds, reason: 'spec' }));
        expect(body.results[0].outcome).toBe('merged');
        merged += 1;
      });
      const seen: string[] = [];
      let cursor: string | null = null;
      do {
        await until(() => merged >= (pages * limit * merges) / users / 2, pace);
        const at: string = cursor === null ? '' : `&cursor=${cursor}`;
        const page: Answer<Json> = await acme.operator.get(`/v1/users?appId=a3&limit=${limit}${at}`);
        seen.push(...ok(page).body.items.map(({ id }: Json) => id));
        cursor = page.body.nextCursor;
        pages += 1;
      } while (cursor !== null);
      pages = Infinity;
      await merging;
      expect(new Set(seen).size).toBe(seen.length);
      expect([seen.length > staying.length, seen.length < users]).toEqual([true, true]);
      const found = new Set(seen);
      expect(staying.filter((id) => !found.has(id))).toEqual([]);
      counted('paged', { users, merges, seen: seen.length });
    },
    shortOrWhole(60_000, 600_000),
  );

  it('counts outcomes, steps by type, and the conflicts that wait', async () => {
    const [one, other] = [fresh('o'), fresh('o')];
    await acme.resolved('a1', one, 'union-counted');
    await acme.resolved('a1', one, 'union-counted');
    await acme.login('a1', other, 'union-counted');
    const told = async (name: string): Promise<number> => {
      const texts = await Promise.all(acme.apis.map(async ({ url }) => (await fetch(`${url}/metrics`)).text()));
      const lines = texts.flatMap((text) => text.split('\n').filter((line) => line.startsWith(`${name} `)));
      return lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
    };
    expect(await told('unionlink_resolve_outcomes_total{outcome="unchanged"}')).toBeGreaterThan(0);
    expect(await told('unionlink_resolve_outcomes_total{outcome="conflict"}')).toBeGreaterThan(0);
    expect(await told('unionlink_user_steps_total{type="UserLinked"}')).toBeGreaterThan(0);
    await until(async () => (await told('unionlink_open_conflicts')) > 0, {
      timeoutMs: 60_000,
      what: 'the conflict to be counted',
    });
  });

  it('tells over HTTP what happened, in order per user, without Kafka', async () => {
    const start = (await acme.operator.get('/v1/events?limit=200')).body;
    let after: string = start.nextCursor;
    for (let page = start; page.items.length === 200;) {
      page = (await acme.operator.get(`/v1/events?limit=200&after=${after}`)).body;
      after = page.nextCursor;
    }
    const [o1, o2, u1] = [fresh('o'), fresh('o'), fresh('u')];
    const a = await acme.resolved('a1', o1);
    const b = await acme.resolved('a2', o2, u1);
    await acme.resolved('a1', o1, u1);
    const { items, nextCursor } = (await acme.operator.get(`/v1/events?after=${after}`)).body;
    expect(items.map(({ type, subject, sequence }: Json) => [type, subject, sequence])).toEqual([
      ['identity.UserLinked.v1', a.user.id, '0000000001'],
      ['identity.UserLinked.v1', b.user.id, '0000000001'],
      ['identity.UserRedirected.v1', a.user.id, '0000000002'],
      ['identity.UserMerged.v1', b.user.id, '0000000002'],
    ]);
    expect(items[3].data.user.identities).toHaveLength(2);
    expect((await acme.operator.get(`/v1/events?after=${nextCursor}`)).body.items).toEqual([]);
    const merged = await acme.operator.get(`/v1/events?after=${after}&types=identity.UserMerged.v1`);
    expect(merged.body.items).toHaveLength(1);
    expect((await acme.operator.get('/v1/events?after=rubbish')).status).toBe(400);
    expect((await acme.operator.get('/v1/events?types=nothing')).status).toBe(400);
  });
});
