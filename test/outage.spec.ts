import { Client } from 'pg';
import { type Acme, startAcmeOn } from './harness/acme.js';
import { type Database, freshDatabase } from './harness/database.js';
import type { Answer, Json } from './harness/http.js';
import { http } from './harness/http.js';
import { type App, operatorKey, startApi } from './harness/processes.js';
import { services } from './harness/services.js';
import { until } from './harness/until.js';

const patience = { timeoutMs: 60_000 };
/** What PostgreSQL says when it is full, short of memory, out of connections, stopping, or out of time. */
const states = ['53100', '53200', '53300', '57P03', '57P01', '57014', '58030'];

/** Contract: while the database is away 503 `unavailable` with Retry-After; nothing has to be restarted when it is back. */
describe('An API whose database', () => {
  let database: Database;
  let admin: Client;
  let api: App;
  let acme: Acme;

  beforeAll(async () => {
    database = await freshDatabase();
    admin = new Client({ connectionString: services.adminUrl });
    await admin.connect();
    await leave();
    api = await startApi({ databaseUrl: database.url, env: { DATABASE_POOL_MAX: '2' }, waitFor: 'livez' });
  });
  afterAll(async () => {
    await api.stop();
    await admin.end();
    await database.drop();
  });

  const leave = async (): Promise<void> => {
    await admin.query(`ALTER DATABASE ${database.name} ALLOW_CONNECTIONS false`);
    await admin.query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1', [database.name]);
  };
  const comeBack = (): Promise<unknown> => admin.query(`ALTER DATABASE ${database.name} ALLOW_CONNECTIONS true`);
  const client = () => http(api.url, operatorKey);
  const isReady = async (): Promise<boolean> => (await client().get('/readyz')).status === 200;

  it('is away when it starts says so, and serves when it comes', async () => {
    expect((await client().get('/livez')).status).toBe(200);
    const readiness = await client().get('/readyz');
    expect([readiness.status, readiness.body]).toEqual([503, { status: 'not_ready', detail: expect.any(String) }]);
    expect((await client().get('/openapi.json')).status).toBe(200);
    expectAway(await client().get('/v1/users'));
    expectAway(await client().as('a-key-that-nobody-has').get('/v1/users'));
    expectAway(await client().get('/.well-known/jwks.json'));
    await comeBack();
    await until(isReady, patience);
    acme = await startAcmeOn(database, [api]);
    expect((await acme.resolved('a1', 'oFirst', 'uFirst')).outcome).toBe('created');
  });

  it('goes away answers 503 with Retry-After on every kind of route, and goes on when it is back', async () => {
    const { user } = await acme.resolved('a1', 'oKnown', 'uKnown');
    await leave();
    const asked = await Promise.all([
      acme.login('a1', 'oKnown', 'uKnown'),
      acme.login('a1', 'oNew'),
      client().get('/v1/users'),
      client().get(`/v1/users/${user.id}`),
      client().get(`/v1/users/${user.id}/history`),
      client().get('/v1/conflicts'),
      client().get('/v1/merges'),
      client().get('/v1/events'),
      client().get('/v1/stats'),
      client().get('/v1/api-keys'),
      client().get('/v1/entities'),
      client().get('/v1/erasures/01900000-0000-7000-8000-000000000000'),
      client().put('/v1/entities/acme', { name: 'Acme' }),
      client().delete(`/v1/users/${user.id}?reason=asked`),
      client().as('a-key-that-nobody-has').get('/v1/users'),
    ]);
    for (const answer of asked) expectAway(answer as Answer<Json>);
    expect((await client().get('/readyz')).status).toBe(503);
    expect((await client().get('/livez')).status).toBe(200);
    await comeBack();
    await until(isReady, patience);
    expect((await acme.user(user.id)).status).toBe(200);
  });

  it.each(states)('says %s is answered 503, and takes the same request when that is over', async (state) => {
    await database.query(`CREATE OR REPLACE FUNCTION spec_fault() RETURNS trigger LANGUAGE plpgsql AS
      $$ BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = '${state}'; END $$`);
    for (const table of ['identity', 'entity'])
      await database.query(
        `CREATE TRIGGER spec_fault BEFORE INSERT OR UPDATE ON ${table} EXECUTE FUNCTION spec_fault()`,
      );
    expectAway(await acme.login('a1', `oFull${state}`));
    expectAway(await acme.operator.put('/v1/entities/acme', { name: `Acme ${state}` }));
    await database.query('DROP FUNCTION spec_fault CASCADE');
    expect((await acme.resolved('a1', `oFull${state}`)).outcome).toBe('created');
    expect((await acme.operator.put('/v1/entities/acme', { name: `Acme ${state}` })).status).toBe(200);
  });

  it('has no connection free for them answers 503 to those that wait too long, and loses none of the pool', async () => {
    const { user } = await acme.resolved('a1', 'oHeld', 'uHeld');
    const holder = new Client({ connectionString: database.url });
    await holder.connect();
    await holder.query('BEGIN');
    await holder.query('LOCK TABLE identity IN ACCESS EXCLUSIVE MODE');
    const asked = Array.from({ length: 40 }, () => client().get(`/v1/users/${user.id}`));
    const [first] = await Promise.all([Promise.race(asked), until(async () => !(await isReady()), patience)]);
    expectAway(first);
    await holder.query('ROLLBACK');
    await holder.end();
    for (const answer of await Promise.all(asked)) if (answer.status !== 200) expectAway(answer);
    await until(isReady, patience);
    const again = await Promise.all(Array.from({ length: 40 }, () => client().get(`/v1/users/${user.id}`)));
    expect(new Set(again.map(({ status }) => status))).toEqual(new Set([200]));
  });
});

function expectAway({ status, body, headers }: Answer<Json>): void {
  expect([status, body.code, headers.get('content-type')]).toEqual([
    503,
    'unavailable',
    'application/problem+json; charset=utf-8',
  ]);
  expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
  expect(body.requestId).toBe(headers.get('x-request-id'));
}
