import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Client } from 'pg';
import {
  Database,
  encodeCursor,
  journalStart,
  readRelayLag,
  releaseShards,
  requestStates,
  saveShards,
  type TakenShard,
  takeShards,
} from '../libs/store/src/index.js';
import { committedEvents, flawless, type Judgement, judgeRecords } from './broker/judge.js';
import { type Publisher, type PublisherOptions, startPublisher } from './broker/publisher.js';
import { type Database as TestDatabase, freshDatabase } from './harness/database.js';
import { createSmallTopics, freshTopicPrefix, type KafkaRecord, readTopic } from './harness/kafka.js';
import { type KafkaProxy, startKafkaProxy } from './harness/kafka-proxy.js';
import { services } from './harness/services.js';
import { until } from './harness/until.js';
import { change, connect, createUsers } from './relay-people.js';

describe('A relay', () => {
  let prefix: string;
  let events: string;
  let fresh: TestDatabase;
  let client: Client;
  let database: Database;
  let proxy: KafkaProxy;
  let users: string[];
  const started: Publisher[] = [];

  const publisher = async (options: Partial<PublisherOptions> = {}): Promise<Publisher> => {
    const all = { databaseUrl: fresh.url, prefix, brokers: proxy.brokers, ...options };
    const one = await startPublisher(all);
    started.push(one);
    return one;
  };

  const changeAll = async (): Promise<void> => {
    for (const userId of users) await change(client, userId);
  };

  const lag = async (): Promise<number> => (await readRelayLag(database)).events;

  const untilPublished = (): Promise<unknown> =>
    until(async () => (await lag()) === 0, { timeoutMs: 60_000, what: 'everything to be published' });

  /** The topics are shared, the users are not. */
  const published = async (): Promise<KafkaRecord[]> => {
    const own = new Set(users);
    return (await readTopic(events)).filter(({ key }) => own.has(key ?? ''));
  };

  /** When everything is published. */
  const judged = async (): Promise<Judgement> => {
    await untilPublished();
    return judgeRecords(await published(), await committedEvents(database));
  };

  const expireLeases = (): Promise<unknown> =>
    fresh.query(`UPDATE relay_shard SET expires_at = 'epoch' WHERE owner IS NOT NULL`);

  beforeAll(async () => {
    prefix = freshTopicPrefix();
    await createSmallTopics(prefix);
  });

  beforeEach(async () => {
    events = `${prefix}identity.user-events.v1`;
    fresh = await freshDatabase();
    client = await connect(fresh.url);
    database = new Database({ url: fresh.url, poolMax: 2, applicationName: 'spec' });
    proxy = await startKafkaProxy(services.kafkaBrokers);
    users = await createUsers(client, 20);
  });

  afterEach(async () => {
    proxy.heal();
    for (const one of started.splice(0)) await one.stop();
    await proxy.close();
    await client.end();
    await database.close();
    await fresh.drop();
  });

  const troubles: [string, (one: Publisher) => Promise<void>][] = [
    ['answers that are lost', async () => void proxy.next('produce', 'lose', 6)],
    ['half-open connections', async () => proxy.halfOpen()],
    [
      'a black hole',
      async (one) => {
        proxy.blackHole();
        await changeAll();
        await until(async () => (await one.failures()) > 0, { timeoutMs: 60_000, what: 'a send to be given up' });
        proxy.heal();
      },
    ],
  ];

  it.each(troubles)('comes through %s', async (_what, begin) => {
    const one = await publisher({ requestTimeoutMs: 300 });
    await untilPublished();
    await begin(one);
    for (let round = 0; round < 5; round += 1) await changeAll();
    expect(await judged()).toEqual(flawless);
  });

  it('whose send is under way when its lease is somebody else’s puts nothing in disorder behind the guard', async () => {
    await publisher({ requestTimeoutMs: 60_000, isUncounted: true });
    await untilPublished();
    // One of each pipeline.
    const struck = proxy.next('produce', 'hold', 2);
    await changeAll();
    await struck.done;
    await expireLeases();
    await publisher({ brokers: services.kafkaBrokers });
    await changeAll();
    await untilPublished();
    const before = await published();
    struck.release();
    await until(async () => (await published()).length > before.length, { timeoutMs: 60_000, what: 'the late send' });
    await changeAll();
    expect(await judged()).toEqual(flawless);
    // It did land behind what is newer, or nothing was shown.
    const late = (await published()).filter(({ headers }) => headers.ce_sequence === '0000000002');
    expect(late.length).toBeGreaterThan(users.length);
  });

  it('sends nothing under a lease that may end before the send does', async () => {
    const hurried = await publisher({ leaseMs: 4_000 });
    await until(async () => (await hurried.failures()) > 1, { timeoutMs: 60_000, what: 'two tries' });
    expect(await published()).toEqual([]);
  });

  it('moves no place before Kafka has acknowledged what lies behind it', async () => {
    await publisher();
    await untilPublished();
    // From then on the next place that moves is saved at once.
    await delay(500);
    const struck = proxy.next('produce', 'hold', 2);
    await changeAll();
    await struck.done;
    expect(await lag()).toBe(users.length);
    struck.release();
    expect(await judged()).toEqual(flawless);
  });

  it('tells a state once more for whoever asks while it is being told', async () => {
    await publisher();
    await untilPublished();
    const [userId = ''] = users;
    const timesTold = async (): Promise<number> =>
      (await readTopic(`${prefix}identity.user-states.v1`)).filter(({ key }) => key === userId).length;
    const before = await timesTold();
    const struck = proxy.next('produce', 'hold', 1);
    await requestStates(database, [userId]);
    await struck.done;
    await requestStates(database, [userId]);
    struck.release();
    await until(async () => (await timesTold()) > before + 1, { timeoutMs: 20_000, what: 'the second time' });
    expect(await timesTold()).toBe(before + 2);
  });

  it('moves no place with the epoch of an earlier time, although it holds the shard again', async () => {
    const [one, other] = [randomUUID(), randomUUID()];
    const [before] = await takeShards(database, { owner: one, max: 1, leaseMs: 30_000 });
    await expireLeases();
    const [between] = await takeShards(database, { owner: other, max: 1, leaseMs: 30_000 });
    await releaseShards(database, other, between === undefined ? [] : [between]);
    const [again] = await takeShards(database, { owner: one, max: 1, leaseMs: 30_000 });
    expect([before?.shard, again?.shard, again?.epoch]).toEqual([0, 0, 3]);
    const cursor = encodeCursor({ ...journalStart, after: 7 });
    const save = (lease: TakenShard | undefined): Promise<number[]> =>
      saveShards(database, {
        owner: one,
        leases: lease === undefined ? [] : [{ ...lease, cursor }],
        incarnation: null,
        leaseMs: 30_000,
      });
    expect(await save(before)).toEqual([]);
    expect(await save(again)).toEqual([0]);
  });
});
