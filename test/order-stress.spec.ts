import { setTimeout as delay } from 'node:timers/promises';
import type { Client } from 'pg';
import { Database, readRelayLag } from '../libs/store/src/index.js';
import { say } from '../tools/machine.js';
import { writeCrowd } from './broker/crowd.js';
import { startPublisher } from './broker/publisher.js';
import { readThrough } from './broker/read-through.js';
import { type Database as TestDatabase, freshDatabase } from './harness/database.js';
import { createSmallTopics, freshTopicPrefix } from './harness/kafka.js';
import { startRelay } from './harness/processes.js';
import { randomOf } from './harness/random.js';
import { services } from './harness/services.js';
import { shortOrWhole } from './harness/torture.js';
import { until } from './harness/until.js';
import { connect, createUsers } from './relay-people.js';

const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 1e9));
const eventsWanted = shortOrWhole(2_000, 1_000_000);
const usersMade = shortOrWhole(100, 4_000);
const handOvers = shortOrWhole(1, 20);
const writers = 8;
const timeLimitMs = 3_600_000;

/** By user: how the versions came, repeats and all. */
interface Order {
  readonly last: Map<string, number>;
  gaps: number;
  inversions: number;
}

describe(`The order of events, with two relays that hand over to each other (SEED=${seed})`, () => {
  const prefix = freshTopicPrefix();
  let fresh: TestDatabase;
  let database: Database;
  const clients: Client[] = [];
  const stopping = new Set<() => Promise<unknown>>();

  /** Processes of their own where it is long; answers how to stop it. */
  const newRelay = async (): Promise<() => Promise<unknown>> => {
    const options = { databaseUrl: fresh.url, env: { KAFKA_TOPIC_PREFIX: prefix } };
    const relay =
      shortOrWhole(0, 1) === 1
        ? await startRelay(options)
        : await startPublisher({ databaseUrl: fresh.url, prefix, brokers: services.kafkaBrokers });
    const stop = async (): Promise<unknown> => {
      stopping.delete(stop);
      return relay.stop();
    };
    stopping.add(stop);
    return stop;
  };

  beforeAll(async () => {
    fresh = await freshDatabase();
    database = new Database({ url: fresh.url, poolMax: 2, applicationName: 'spec', statementTimeoutMs: 60_000 });
    await createSmallTopics(prefix);
    for (let writer = 0; writer < writers; writer += 1) clients.push(await connect(fresh.url));
  }, 120_000);

  afterAll(async () => {
    for (const stop of stopping) await stop();
    for (const client of clients) await client.end();
    await database.close();
    await fresh.drop();
  });

  it(
    'has no gap and no inversion, whoever pauses, rolls back or hands over',
    async () => {
      const random = randomOf(seed);
      const [first] = clients;
      if (first === undefined) throw new Error('no writer');
      const users = await createUsers(first, usersMade);
      const running = await Promise.all([newRelay(), newRelay()]);
      const state = { events: users.length };
      const options = {
        random,
        users,
        usersMax: shortOrWhole(20, 300),
        isEnough: () => state.events >= eventsWanted,
        onCommit: (events: number) => (state.events += events),
      };
      const writing = Promise.all(clients.map((client) => writeCrowd(client, options)));
      for (let done = 0; done < handOvers; done += 1) {
        const due = (eventsWanted / (handOvers + 1)) * (done + 1);
        await until(() => state.events >= due, { timeoutMs: timeLimitMs, what: 'the next hand-over to be due' });
        await running.shift()?.();
        await delay(random() * 500);
        running.push(await newRelay());
      }
      await writing;
      await until(async () => (await readRelayLag(database)).events === 0, {
        timeoutMs: timeLimitMs,
        intervalMs: 200,
        what: 'everything to be published',
      });

      const order: Order = { last: new Map(), gaps: 0, inversions: 0 };
      await readThrough(`${prefix}identity.user-events.v1`, services.kafkaBrokers, ({ key, version }) => {
        const last = order.last.get(key) ?? 0;
        if (version <= last) order.inversions += 1;
        if (version > last + 1) order.gaps += 1;
        order.last.set(key, Math.max(last, version));
      });
      const rows = await fresh.query<{ id: string; version: string }>('SELECT id, version FROM users');
      const behind = rows.filter(({ id, version }) => order.last.get(id) !== Number(version)).length;
      if (eventsWanted > 100_000) say(`${state.events} events, ${handOvers} hand-overs`);
      expect({ gaps: order.gaps, inversions: order.inversions, behind }).toEqual({ gaps: 0, inversions: 0, behind: 0 });
    },
    timeLimitMs,
  );
});
