import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Pool, type PoolClient } from 'pg';
import type { Change, FollowerOptions, Handlers, Participant, Source } from '#consumer';
import { feed, IdentityFollower, kafka, pgStore } from '#consumer';
import { topicName, topics } from '#events';
import { brokers, createTopics, patience, type Person, Scene, send } from './consumer-scene.js';
import { ok } from './harness/acme.js';
import { type Database, emptyDatabase } from './harness/database.js';
import type { Json } from './harness/http.js';
import { collectRecords, freshTopicPrefix, readTopic } from './harness/kafka.js';
import { type App, operatorKey, startApi } from './harness/processes.js';
import { until } from './harness/until.js';

interface Following {
  readonly follower: IdentityFollower<PoolClient>;
  readonly database: Database;
}

/** A follower in this process, on a database of its own, for as long as the work lasts. */
async function follow(
  source: Source,
  handlers: Handlers<PoolClient>,
  more: Partial<FollowerOptions<PoolClient>>,
  work: (following: Following) => Promise<void>,
): Promise<void> {
  const database = await emptyDatabase();
  const pool = new Pool({ connectionString: database.url, max: 5 });
  pool.on('error', () => undefined);
  const follower = new IdentityFollower({ source, store: pgStore<PoolClient>(pool), handlers, ...more });
  try {
    await follower.start();
    await work({ follower, database });
  } finally {
    await follower.stop();
    await pool.end();
    await database.drop();
  }
}

const pageOf = async (url: string): Promise<string> =>
  (await fetch(url, { headers: { authorization: `Bearer ${operatorKey}` } })).text();
const onlyMerges = (name: string): Participant => ({ name, acknowledges: ['merge'] });
const isByHttp = ({ participant, status }: Json): boolean => participant === 'by-http' && status === 'done';

/** Scenarios 32 and 33 with their neighbours, on a real API, relay, broker and database. */
describe('A service that follows the events', () => {
  let scene: Scene;
  beforeAll(async () => {
    scene = await Scene.open();
  });
  afterAll(() => scene.close());

  /** Once the last state of everybody has been told, a copy of the topic alone, under a prefix of its own. */
  const statesAlone = async (): Promise<string> => {
    const states = topicName(scene.prefix, topics.userStates);
    const isTold = async (): Promise<boolean> => {
      const records = await readTopic(states);
      const told = new Set(records.map(({ key, headers }) => `${key} ${Number(headers['ce_sequence'])}`));
      const users = await scene.acme.database.query('SELECT id, version FROM users');
      return users.every(({ id, version }) => told.has(`${id} ${version}`));
    };
    await until(isTold, { ...patience, what: 'the newest state of everybody on the states topic' });
    const prefix = freshTopicPrefix();
    await createTopics(prefix);
    await send(
      topicName(prefix, topics.userStates),
      (await readTopic(states)).map(({ key, value, headers }) => ({ key, value, headers })),
    );
    return prefix;
  };

  it('is right for every live and merged id when it read the states topic alone', async () => {
    const { people, unlinked, erased } = await scene.muchHappens();
    const topicPrefix = await statesAlone();
    await follow(kafka({ brokers, groupId: 'fresh', topicPrefix }), {}, {}, async ({ follower, database }) => {
      await until(async () => (await follower.health()).isReady, { ...patience, what: 'the boot' });
      expect(await scene.agrees(database, [...people, unlinked])).toBe(true);
      const rows = await database.query('SELECT status FROM unionlink_user WHERE user_id = $1', [erased.id]);
      expect(rows).toEqual([{ status: 'erased' }]);
      expect(await database.query('SELECT FROM unionlink_identity WHERE open_id = $1', [erased.openId])).toEqual([]);
    });
  }, 180_000);

  it('lets a user wait whose handler throws, in order and without a gap, while the others go on', async () => {
    const [unlucky, ...others] = (await scene.bornMany(4)) as [Person, ...Person[]];
    const all = [unlucky, ...others];
    const seen = new Map<string, number[]>();
    let isBroken = true;
    const onUser = ({ userId, version }: Change): void => {
      if (isBroken && userId === unlucky.id && version === 2) throw new Error('the handler has a bug');
      seen.set(userId, [...(seen.get(userId) ?? []), version]);
    };
    const isThrough = ({ id }: Person): boolean => seen.get(id)?.at(-1) === 11;
    const source = kafka({ brokers, groupId: 'parking', topicPrefix: scene.prefix });
    const retry = { firstMs: 200, maxMs: 1_000 };
    await follow(source, { onUser }, { retry }, async ({ follower, database }) => {
      await until(() => all.every(({ id }) => seen.has(id)), { ...patience, what: 'everybody at version 1' });
      const linked: Person[] = [];
      for (let n = 0; n < 10; n += 1) {
        for (const { id } of all) {
          const identity = { appId: `a${(n % 4) + 1}`, openId: scene.fresh('o') };
          ok(await scene.acme.operator.post('/v1/identities', { ...identity, userId: id, reason: 'spec' }));
          linked.push({ id, ...identity });
        }
      }
      await until(() => others.every(isThrough), { ...patience, what: 'the others' });
      expect(await follower.health()).toMatchObject({ isLive: true, isReady: true, parkedUsers: 1 });
      expect(seen.get(unlucky.id)).toEqual([1]);
      const parked = await database.query('SELECT last_error FROM unionlink_parked_user');
      expect(parked).toEqual([{ last_error: 'the handler has a bug' }]);
      isBroken = false;
      await until(() => isThrough(unlucky), { ...patience, what: 'the one who waited' });
      for (const { id } of all) expect(seen.get(id)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
      expect(await scene.agrees(database, linked)).toBe(true);
      await until(async () => (await follower.health()).parkedUsers === 0, patience);
    });
  }, 180_000);

  it('fails its liveness when a handler does not come to its end, and stops all the same', async () => {
    await scene.born();
    const released = new AbortController();
    const onUser = async (): Promise<void> => {
      if (!released.signal.aborted) await once(released.signal, 'abort');
    };
    const source = kafka({ brokers, groupId: 'hanging', topicPrefix: scene.prefix, stalledAfterMs: 1_000 });
    await follow(source, { onUser }, { stopWithinMs: 500 }, async ({ follower }) => {
      const health = await until(async () => {
        const found = await follower.health();
        return !found.isLive && found;
      }, patience);
      expect(health.problem).toBe('a transaction does not come to its end');
      await follower.stop();
      released.abort();
      await source.stop();
    });
  }, 120_000);

  it('is told over HTTP as it happens, and goes on behind what it has when the service was away', async () => {
    const databaseUrl = scene.acme.database.url;
    const api = await startApi({ databaseUrl });
    // Nothing would be asked for within the hour: what arrives, the stream brings.
    const source = feed({ url: api.url, apiKey: operatorKey, pollMs: 3_600_000 });
    let again: App | undefined;
    await follow(source, {}, {}, async ({ follower, database }) => {
      await until(async () => (await follower.health()).isReady, patience);
      const people: Person[] = [];
      const arrives = async (what: string): Promise<void> => {
        people.push(await scene.born());
        await until(() => scene.agrees(database, people), { timeoutMs: 20_000, intervalMs: 20, what });
      };
      await arrives('the first');
      await arrives('one more on the same stream');
      await api.kill();
      people.push(await scene.born());
      again = await startApi({ databaseUrl, port: api.port });
      await arrives('what happened meanwhile, and one more');
      await arrives('one more on the new stream');
      expect(await follower.health()).toMatchObject({ isLive: true, isReady: true });
    });
    await again?.stop();
  }, 120_000);

  it.each(['refused', 'ended at once', 'held back', 'cut in the middle of an event'])(
    'asks for pages where the stream is %s',
    async (fate) => {
      let opened = 0;
      const between = createServer((request, response) => {
        const isStream = request.headers.accept === 'text/event-stream';
        if (isStream) opened += 1;
        if (!isStream) void pageOf(scene.apiUrl + (request.url ?? '')).then((page) => response.end(page));
        else if (fate === 'refused') response.writeHead(502).end();
        else if (fate === 'ended at once') response.writeHead(200).end();
        else if (fate === 'held back') response.writeHead(200).flushHeaders();
        else response.writeHead(200).write('id: 1\nevent: x\ndata: {"half', () => response.destroy());
      });
      between.listen(0, '127.0.0.1');
      await once(between, 'listening');
      const { port } = between.address() as AddressInfo;
      const source = feed({ url: `http://127.0.0.1:${port}`, apiKey: operatorKey, pollMs: 50 });
      await follow(source, {}, {}, async ({ follower, database }) => {
        for (let n = 0; n < 3; n += 1) {
          const people = [await scene.born()];
          await until(() => scene.agrees(database, people), { timeoutMs: 20_000, intervalMs: 50 });
        }
        await until(async () => (await follower.health()).isReady, patience);
      });
      between.close();
      between.closeAllConnections();
      expect(opened).toBeGreaterThan(0);
      expect(opened).toBeLessThan(10);
    },
    60_000,
  );

  it('acknowledges a merge when its own part is done, over Kafka and over HTTP', async () => {
    for (const name of ['by-kafka', 'by-http'])
      ok(await scene.acme.operator.put(`/v1/participants/${name}`, { entityId: 'acme', acknowledges: ['merge'] }));
    const [source, target] = [await scene.born('a1'), await scene.born('a2')];
    const id = await scene.merge(source.id, target.id);
    const isOurs = ({ key }: { key: string | null }): boolean => key === id;
    const overKafka = kafka({ brokers, groupId: 'answers', topicPrefix: scene.prefix });
    await follow(overKafka, {}, { participant: onlyMerges('by-kafka') }, async () => {
      const topic = topicName(scene.prefix, topics.acknowledgements);
      const records = await collectRecords(topic, (found) => found.some(isOurs), { timeoutMs: 60_000 });
      const answer: unknown = JSON.parse(records.find(isOurs)?.value ?? '');
      expect(answer).toEqual({ kind: 'merge', id, participant: 'by-kafka', status: 'done' });
    });
    const overHttp = feed({ url: scene.apiUrl, apiKey: operatorKey, pollMs: 50 });
    await follow(overHttp, {}, { participant: onlyMerges('by-http') }, async () => {
      const { acknowledgements } = await until(async () => {
        const { body } = ok(await scene.acme.operator.get(`/v1/merges/${id}`));
        return body.acknowledgements.some(isByHttp) && body;
      }, patience);
      expect(acknowledgements.find(isByHttp)).toMatchObject({ kind: 'merge', expected: true });
    });
  }, 180_000);

  it('is asked before a merge by hand, and answers over HTTP and over Kafka', async () => {
    const consents = { entityId: 'acme', acknowledges: [], consents: ['merge'], answerWithinSeconds: 600 };
    const register = async (name: string, more: object = {}): Promise<void> => {
      ok(await scene.acme.operator.put(`/v1/participants/${name}`, { ...consents, ...more }));
    };
    const propose = async (reason: string): Promise<string> => {
      const [source, target] = [await scene.born('a1'), await scene.born('a2')];
      const body = { targetUserId: target.id, sourceUserIds: [source.id], reason };
      return ok(await scene.acme.operator.post('/v1/merges', body)).body.results[0].mergeId;
    };
    const status = async (id: string): Promise<string> =>
      ok(await scene.acme.operator.get(`/v1/merges/${id}`)).body.status;
    await register('asked-by-http');
    const [good, bad, broken] = [await propose('good'), await propose('bad'), await propose('broken')];
    const asked: string[] = [];
    const handlers: Handlers<PoolClient> = {
      onMergeProposed: async ({ mergeId, reason }, tx) => {
        asked.push(mergeId);
        await tx.query('SELECT 1');
        if (reason === 'broken') throw new Error('the handler is broken');
        return reason === 'good' ? 'accept' : { refuse: 'an order is open' };
      },
    };
    const overHttp = feed({ url: scene.apiUrl, apiKey: operatorKey, pollMs: 50 });
    await follow(overHttp, handlers, { participant: { name: 'asked-by-http', acknowledges: [] } }, async () => {
      await until(async () => (await status(good)) === 'merged', patience);
      await until(async () => (await status(bad)) === 'rejected', patience);
      await until(() => asked.includes(broken), patience);
      expect(await status(broken)).toBe('pending_consent');
      expect((await scene.acme.operator.get(`/v1/merges/${bad}`)).body.decisionReason).toBe('an order is open');
    });
    await register('asked-by-http', { consents: [] });
    await register('asked-by-kafka');
    const overKafka = kafka({ brokers, groupId: 'consents', topicPrefix: scene.prefix });
    const third = await propose('by Kafka');
    await follow(overKafka, handlers, { participant: { name: 'asked-by-kafka', acknowledges: [] } }, async () => {
      const topic = topicName(scene.prefix, topics.acknowledgements);
      const isOurs = ({ key }: { key: string | null }): boolean => key === third;
      const records = await collectRecords(topic, (found) => found.some(isOurs), { timeoutMs: 60_000 });
      const about = { kind: 'merge', id: third, participant: 'asked-by-kafka' };
      const answer: unknown = JSON.parse(records.find(isOurs)?.value ?? '');
      expect(answer).toEqual({ ...about, status: 'refuse', detail: 'an order is open' });
    });
    // A follower does not hear of what others were asked.
    expect(asked.filter((id) => id === good)).toHaveLength(1);
    await register('asked-by-kafka', { consents: [] });
  }, 240_000);
});
