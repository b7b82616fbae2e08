import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Pool, type PoolClient } from 'pg';
import { type Change, feed, type FollowerOptions, IdentityFollower, pgStore } from '#consumer';
import { type Acme, ok, startAcme } from './harness/acme.js';
import { type Database, emptyDatabase } from './harness/database.js';
import { operatorKey } from './harness/processes.js';
import { until } from './harness/until.js';

const patience = { timeoutMs: 60_000, intervalMs: 20 };

/** Answers in the place of the service; false: the service shall. */
type Between = (request: IncomingMessage, response: ServerResponse) => boolean;

/** Scenario 33 without Kafka: what services and what stands between may do to whoever follows the feed. */
describe('Services that follow the feed', () => {
  let acme: Acme;
  let database: Database;
  let next = 0;
  const followers: IdentityFollower<PoolClient>[] = [];
  const pools: Pool[] = [];
  let between: Server;
  let says: Between;
  const asked: URL[] = [];
  const fresh = (): string => `o${(next += 1)}-${'xyz'.repeat(3)}`;

  beforeAll(async () => {
    acme = await startAcme();
    between = createServer((request, response) => {
      asked.push(new URL(request.url ?? '', 'http://between'));
      if (!says(request, response)) void pass(request, response);
    });
    between.listen(0, '127.0.0.1');
    await once(between, 'listening');
  });
  afterAll(async () => {
    between.close();
    between.closeAllConnections();
    await acme.stop();
  });
  beforeEach(async () => {
    says = () => false;
    asked.length = 0;
    database = await emptyDatabase();
    await database.query('CREATE TABLE done (n bigserial, user_id text, version int, by_whom text)');
  });
  afterEach(async () => {
    await Promise.all(followers.splice(0).map((follower) => follower.stop()));
    await Promise.all(pools.splice(0).map((pool) => pool.end()));
    await database.drop();
  });

  const pass = async ({ url, headers }: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { authorization = '' } = headers;
    const answer = await fetch(`${acme.apis[0]?.url}${url}`, { headers: { authorization } });
    response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? '' });
    response.end(await answer.text());
  };

  const follow = async (
    who: string,
    more: Partial<FollowerOptions<PoolClient>> = {},
  ): Promise<IdentityFollower<PoolClient>> => {
    const pool = new Pool({ connectionString: database.url, max: 5 });
    pool.on('error', () => undefined);
    pools.push(pool);
    const onUser = async ({ userId, version }: Change, tx: PoolClient): Promise<void> => {
      await tx.query('INSERT INTO done (user_id, version, by_whom) VALUES ($1, $2, $3)', [userId, version, who]);
    };
    const { port } = between.address() as AddressInfo;
    const source = feed({ url: `http://127.0.0.1:${port}`, apiKey: operatorKey, pollMs: 20, stream: false });
    const follower = new IdentityFollower({ source, store: pgStore<PoolClient>(pool), handlers: { onUser }, ...more });
    followers.push(follower);
    await follower.start();
    return follower;
  };
  const born = async (): Promise<string> => (await acme.resolved('a1', fresh())).user.id;
  const link = async (userId: string): Promise<void> => {
    ok(await acme.operator.post('/v1/identities', { appId: 'a1', openId: fresh(), userId, reason: 'spec' }));
  };
  const versionsOf = async (id: string): Promise<number[]> =>
    (await database.query('SELECT version FROM done WHERE user_id = $1 ORDER BY n', [id])).map((row) =>
      Number(row['version']),
    );
  const hears = (id: string, version = 1): Promise<unknown> =>
    until(async () => (await versionsOf(id)).includes(version), { ...patience, what: `version ${version}` });

  it('share one database: each step has its effect once and in order, though one of them goes', async () => {
    const { url = '' } = acme.apis[0] ?? {};
    const told = (): FollowerOptions<PoolClient>['source'] => feed({ url, apiKey: operatorKey, pollMs: 20 });
    const first = await follow('first', { source: told() });
    await follow('second', { source: told() });
    const people = await Promise.all(Array.from({ length: 5 }, born));
    for (let version = 2; version <= 20; version += 1) {
      await Promise.all(people.map(link));
      if (version === 15) await first.stop();
    }
    for (const id of people) await hears(id, 20);
    const expected = Array.from({ length: 20 }, (_, n) => n + 1);
    for (const id of people) expect(await versionsOf(id)).toEqual(expected);
  }, 120_000);

  it('read from its start what is left of who was erased, and park nobody', async () => {
    const openId = fresh();
    const { id } = (await acme.resolved('a1', openId)).user;
    const source = await born();
    await link(id);
    ok(await acme.operator.post('/v1/merges', { targetUserId: id, sourceUserIds: [source], reason: 'spec' }));
    ok(await acme.operator.delete(`/v1/users/${id}?reason=spec`));
    const follower = await follow('one');
    await hears(await born());
    expect((await follower.health()).parkedUsers).toBe(0);
    const status = await database.query('SELECT status FROM unionlink_user WHERE user_id = $1', [id]);
    expect(status).toEqual([{ status: 'erased' }]);
    expect(await database.query('SELECT FROM unionlink_identity WHERE open_id = $1', [openId])).toEqual([]);
  }, 60_000);

  it('follow a service older than they are, which does not know all types that they ask for', async () => {
    says = (request) => {
      request.url = request.url?.replace(/types=[^&]*/, '$&,identity.NotYetKnown.v9') ?? '';
      return false;
    };
    await follow('one');
    await hears(await born());
    expect(asked.filter(({ searchParams }) => searchParams.has('types'))).toHaveLength(1);
  }, 60_000);

  it('keep their place where something in between refuses what they ask as malformed', async () => {
    const follower = await follow('one');
    await hears(await born());
    says = (_request, response) => {
      response.writeHead(400, { 'content-type': 'text/html' }).end('<h1>400 Bad Request</h1>');
      return true;
    };
    const isUnready = async (): Promise<boolean> => !(await follower.health()).isReady;
    await until(isUnready, patience);
    says = () => false;
    asked.length = 0;
    await hears(await born());
    expect(asked.map(({ searchParams }) => searchParams.has('after'))).not.toContain(false);
  }, 120_000);

  it('begin anew where the service itself does not know their place any more', async () => {
    const follower = await follow('one');
    const before = await born();
    await hears(before);
    await follower.stop();
    await database.query(`UPDATE unionlink_cursor SET value = 'of-another-service'`);
    await follow('two');
    await hears(await born());
    expect(await versionsOf(before)).toEqual([1]);
  }, 120_000);

  it.each<[string, Between]>([
    ['a page of HTML', (_request, response) => Boolean(response.end('<html>'))],
    ['no page', (_request, response) => Boolean(response.end('{"items":{},"nextCursor":null}'))],
    ['an answer that breaks off', (_request, response) => response.write('{"items":[', () => response.destroy())],
    ['401', (_request, response) => Boolean(response.writeHead(401).end())],
    ['503', (_request, response) => Boolean(response.writeHead(503, { 'retry-after': '1' }).end())],
  ])(
    'are unready while they get %s, and go on behind their place',
    async (_what, fate) => {
      const follower = await follow('one');
      await hears(await born());
      says = (...call) => {
        fate(...call);
        return true;
      };
      const seen = until(async () => {
        const health = await follower.health();
        return !health.isReady && health;
      }, patience);
      expect(await seen).toMatchObject({ isLive: true, problem: expect.any(String) });
      const meanwhile = await born();
      says = () => false;
      await hears(meanwhile);
      await until(async () => (await follower.health()).isReady, patience);
      expect(await versionsOf(meanwhile)).toEqual([1]);
      expect((await follower.health()).parkedUsers).toBe(0);
    },
    60_000,
  );

  it('stop at once while they wait for a page that does not come', async () => {
    const follower = await follow('one');
    await hears(await born());
    says = () => true;
    asked.length = 0;
    await until(() => asked.length > 0, patience);
    const toldAt = performance.now();
    await follower.stop();
    expect(performance.now() - toldAt).toBeLessThan(2_000);
  }, 60_000);
});
