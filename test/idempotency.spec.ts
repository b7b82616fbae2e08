import { Client } from 'pg';
import { type Acme, ok, startAcme } from './harness/acme.js';
import { type Answer, type Http, http, type Json } from './harness/http.js';
import { operatorKey } from './harness/processes.js';
import { until } from './harness/until.js';

const patience = { timeoutMs: 60_000, intervalMs: 50 };

/** One request with an Idempotency-Key, and what it is answered. */
interface Case {
  readonly name: string;
  readonly send: (base: string) => Promise<Answer<Json>>;
  readonly expected: object;
}

const post = (name: string, path: string, body: object, expected: object): Case => ({
  name,
  send: (base) => http(base, operatorKey).post(path, body, { headers: { 'idempotency-key': name } }),
  expected,
});

/** The effect and its answer are one: what a process that dies has done is answered by the next one, and not done again. */
describe('A request with an Idempotency-Key', () => {
  let acme: Acme;
  let requester: Http;
  let next = 0;
  const fresh = (): string => `o${(next += 1)}-${'k'.repeat(10)}`;
  const born = async (app: string, union?: string): Promise<string> =>
    (await acme.resolved(app, fresh(), union)).user.id;

  beforeAll(async () => {
    acme = await startAcme({ apis: 2 });
    const key = { entityId: 'acme', name: 'requester', scopes: ['merge'] };
    requester = acme.operator.as(ok(await acme.operator.post('/v1/api-keys', key)).body.key);
  });
  afterAll(() => acme.stop());

  const url = (n: number): string => acme.apis[n]?.url ?? '';

  /** Every way to change people, each about people of its own. */
  const cases = async (): Promise<Case[]> => {
    const [target, source] = [await born('a1'), await born('a2')];
    const [whole, part] = [
      await acme.resolved('a1', fresh(), 'union-whole'),
      await acme.resolved('a2', fresh(), 'union-whole'),
    ];
    const linked = await born('a1');
    const keyed = await born('a1', 'union-keyed');
    const [into, from] = [await born('a1'), await born('a2')];
    const merge = { targetUserId: into, sourceUserIds: [from], reason: 'spec' };
    const { mergeId } = ok(await acme.operator.post('/v1/merges', merge)).body.results[0];
    const [approved, waiting] = [await born('a1'), await born('a2')];
    const asked = { targetUserId: approved, sourceUserIds: [waiting], reason: 'spec', requireApproval: true };
    const pending = ok(await requester.post('/v1/merges', asked)).body.results[0].mergeId;
    const erased = await born('a1');
    const reason = 'spec';
    return [
      post(
        'merge',
        '/v1/merges',
        { targetUserId: target, sourceUserIds: [source], reason },
        {
          status: 200,
          body: { results: [{ sourceUserId: source, outcome: 'merged', mergedInto: target }] },
        },
      ),
      post(
        'split',
        `/v1/users/${whole.user.id}/split`,
        { identities: [{ appId: 'a2', openId: part.identity.openId }], reason },
        {
          status: 201,
          body: { status: 'live', version: 1, identities: [{ openId: part.identity.openId }] },
        },
      ),
      post(
        'link',
        '/v1/identities',
        { appId: 'a3', openId: fresh(), userId: linked, reason },
        {
          status: 201,
          body: { user: { id: linked, version: 2 } },
        },
      ),
      post(
        'resolve',
        '/v1/identities/resolve',
        { appId: 'a2', openId: fresh(), unionId: 'union-keyed' },
        {
          status: 200,
          body: { outcome: 'linked', user: { id: keyed, version: 2 } },
        },
      ),
      post(
        'revert',
        `/v1/merges/${mergeId}/revert`,
        { reason },
        {
          status: 200,
          body: { outcome: 'reverted', mergeId, sourceUserId: from },
        },
      ),
      post(
        'approve',
        `/v1/merges/${pending}/approve`,
        {},
        {
          status: 200,
          body: { status: 'merged', sourceUserId: waiting },
        },
      ),
      {
        name: 'erase',
        send: (base) =>
          http(base, operatorKey).delete(`/v1/users/${erased}`, { headers: { 'idempotency-key': 'erase' } }),
        expected: { status: 202, body: { erasureId: expect.any(String) } },
      },
    ];
  };

  it('has no effect any more once another process has taken it over', async () => {
    const linked = await born('a1');
    const gate = new Client({ connectionString: acme.database.url });
    gate.on('error', () => undefined);
    await gate.connect();
    try {
      await gate.query('BEGIN');
      await gate.query('SELECT FROM users WHERE id = $1 FOR UPDATE', [linked]);
      const headers = { 'idempotency-key': 'taken-over' };
      const body = { appId: 'a3', openId: fresh(), userId: linked, reason: 'spec' };
      const overtaken = http(url(1), operatorKey).post('/v1/identities', body, { headers });
      const takeOver = "UPDATE idempotency SET claim = gen_random_uuid() WHERE key = 'taken-over' RETURNING 1";
      await until(async () => (await acme.database.query(takeOver)).length > 0, { ...patience, what: 'its claim' });
      await gate.query('COMMIT');
      expect(await overtaken).toMatchObject({ status: 503, body: { code: 'unavailable' } });
      expect((await acme.user(linked)).body.version).toBe(1);
    } finally {
      await gate.end();
    }
  }, 120_000);

  it('keeps what it answered sealed: an API key is in no table', async () => {
    const headers = { 'idempotency-key': 'a-key-for-a-key' };
    const request = { entityId: 'acme', name: 'made once', scopes: ['read'] };
    const made = await http(url(1), operatorKey).post('/v1/api-keys', request, { headers });
    expect(made.status).toBe(201);
    const again = await http(url(1), operatorKey).post('/v1/api-keys', request, { headers });
    expect(again.body).toEqual(made.body);
    const rows = await acme.database.query<{ row: string }>('SELECT idempotency::text AS row FROM idempotency');
    expect(rows.length).toBeGreaterThan(0);
    const bytes = Buffer.from(made.body.key).toString('hex');
    for (const { row } of rows) for (const clear of [made.body.key, bytes]) expect(row).not.toContain(clear);
  });

  it('whose process dies between the effect and the answer is answered by the next one, and done once', async () => {
    const all = await cases();
    await acme.database.query(`
      CREATE FUNCTION no_answer() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'died before the answer'; END $$;
      CREATE TRIGGER no_answer BEFORE UPDATE OF answer ON idempotency FOR EACH ROW EXECUTE FUNCTION no_answer();`);
    for (const { send } of all) expect((await send(url(0))).status).toBe(500);
    const before = await acme.database.query('SELECT count(*) FROM journal');
    await acme.apis[0]?.kill();
    await acme.database.query('DROP TRIGGER no_answer ON idempotency');
    const answers = await Promise.all(all.map(({ send }) => send(url(1))));
    for (const [index, { name, expected }] of all.entries())
      expect({ name, ...answers[index] }).toMatchObject({ name, ...expected });
    expect(await acme.database.query('SELECT count(*) FROM journal')).toEqual(before);
    const again = await Promise.all(all.map(({ send }) => send(url(1))));
    for (const [index, { headers, body }] of again.entries()) {
      expect(headers.get('idempotency-replayed')).toBe('true');
      expect(body).toEqual(answers[index]?.body);
    }
  }, 180_000);
});
