import { randomInt, randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { ConfigResourceTypes } from 'kafkajs';
import type { Client } from 'pg';
import { toHeaders } from '../libs/events/src/index.js';
import {
  attributesOf,
  Database,
  encodeCursor,
  journalStart,
  readFeed,
  readPortion,
  readRelayLag,
  saveShards,
  takeShards,
} from '../libs/store/src/index.js';
import { startKafka } from '../tools/kafka.js';
import { startAcmeOn } from './harness/acme.js';
import { type Database as TestDatabase, freshDatabase } from './harness/database.js';
import { createSmallTopics, freshTopicPrefix, type KafkaRecord, kafkaClient, readTopic } from './harness/kafka.js';
import { type App, startApi, startRelay } from './harness/processes.js';
import { services } from './harness/services.js';
import { counted, shortOrWhole } from './harness/torture.js';
import { until } from './harness/until.js';
import { startCallers } from './ledger/callers.js';
import { change, connect, createUsers, lock, notice, step, type Step } from './relay-people.js';

/** One set of topics for all, small ones: reading 48 partitions takes a while. Each spec looks at its own users. */
const prefix = freshTopicPrefix();
const events = `${prefix}identity.user-events.v1`;
const states = `${prefix}identity.user-states.v1`;
const notices = `${prefix}identity.notices.v1`;

let fresh: TestDatabase;
let client: Client;
let database: Database;
const started: App[] = [];

const relay = async (env: Record<string, string> = {}): Promise<App> => {
  const app = await startRelay({ databaseUrl: fresh.url, env: { KAFKA_TOPIC_PREFIX: prefix, ...env } });
  started.push(app);
  return app;
};

const ofUsers = async (
  topic: string,
  users: readonly string[],
  brokers = services.kafkaBrokers,
): Promise<KafkaRecord[]> => {
  const wanted = new Set(users);
  return (await readTopic(topic, { brokers })).filter(({ key }) => key !== null && wanted.has(key));
};

/** All that was ever written is published by the stored places. */
const untilPublished = (timeoutMs = 60_000): Promise<true> =>
  until(async () => (await readRelayLag(database)).events === 0, { timeoutMs, what: 'everything to be published' });

const owners = async (): Promise<number[]> => {
  const rows = await fresh.query<{ held: string }>(
    'SELECT count(*) AS held FROM relay_shard WHERE expires_at > clock_timestamp() GROUP BY owner ORDER BY 1',
  );
  return rows.map(({ held }) => Number(held));
};

/** As if the lease's thirty seconds had passed. */
const expireLeases = (): Promise<unknown> =>
  fresh.query(`UPDATE relay_shard SET expires_at = 'epoch' WHERE owner IS NOT NULL`);

/** What a consumer with the guard of the contract sees: per user 1, 2, 3… */
function guarded(records: readonly KafkaRecord[]): Map<string, string[]> {
  const seen = new Map<string, number>();
  const kept = new Map<string, string[]>();
  for (const { key, headers } of records) {
    const version = Number(headers.ce_sequence);
    if (key === null || version <= (seen.get(key) ?? 0)) continue;
    expect([key, version]).toEqual([key, (seen.get(key) ?? 0) + 1]);
    seen.set(key, version);
    kept.set(key, [...(kept.get(key) ?? []), headers.ce_id ?? '']);
  }
  return kept;
}

async function journalOf(users: readonly string[]): Promise<Map<string, string[]>> {
  const rows = await fresh.query<{ user_id: string; event_id: string }>(
    'SELECT user_id, event_id FROM journal WHERE version IS NOT NULL AND user_id = ANY ($1) ORDER BY id',
    [users],
  );
  const kept = new Map<string, string[]>();
  for (const row of rows) kept.set(row.user_id, [...(kept.get(row.user_id) ?? []), row.event_id]);
  return kept;
}

/** Same id, same content, in every copy. */
function expectSameCopies(records: readonly KafkaRecord[]): number {
  const copies = new Map<string, string>();
  let repeats = 0;
  for (const { headers, value } of records) {
    const id = headers.ce_id ?? '';
    const content = JSON.stringify([value, headers]);
    if (copies.has(id)) repeats += 1;
    expect(copies.get(id) ?? content).toBe(content);
    copies.set(id, content);
  }
  return repeats;
}

const median = (numbers: readonly number[]): number => numbers.toSorted((a, b) => a - b)[numbers.length >> 1] ?? NaN;

/** Where the shards stand, as stored. */
const places = async (): Promise<string> => {
  const rows = await fresh.query<{ cursors: string | null }>(
    `SELECT string_agg(cursor, ' ' ORDER BY shard) AS cursors FROM relay_shard`,
  );
  return rows[0]?.cursors ?? '';
};

/** Changes users without pause until it is told to end. */
function load(users: readonly string[], writers: number): { end(): Promise<void> } {
  const state = { isOn: true };
  const writing = Array.from({ length: writers }, async (_, index) => {
    const own = users.filter((_user, position) => position % writers === index);
    const writer = await connect(fresh.url);
    for (let turn = 0; state.isOn; turn += 1) await change(writer, own[turn % own.length] ?? '');
    await writer.end();
  });
  return {
    end: async () => {
      state.isOn = false;
      await Promise.all(writing);
    },
  };
}

beforeAll(() => createSmallTopics(prefix));
beforeEach(async () => {
  fresh = await freshDatabase();
  client = await connect(fresh.url);
  database = new Database({ url: fresh.url, poolMax: 3, applicationName: 'spec' });
});

afterEach(async () => {
  for (const app of started.splice(0)) await app.kill();
  await client.end();
  await database.close();
  await fresh.drop();
});

describe('The relay', () => {
  it('publishes every event and notice as the contract says, and the states that are the last word', async () => {
    const app = await relay();
    const users = await createUsers(client, 30);
    const [merged, target, erased] = users;
    if (merged === undefined || target === undefined || erased === undefined) throw new Error('no users');
    for (let turn = 0; turn < 60; turn += 1) await change(client, users[turn % users.length] ?? '');
    await notice(client, target);
    await client.query('BEGIN');
    await step(client, merged, await lock(client, merged));
    await client.query(`UPDATE users SET status = 'merged', merged_into = $2 WHERE id = $1`, [merged, target]);
    await step(client, erased, await lock(client, erased));
    await client.query(`UPDATE users SET status = 'erased' WHERE id = $1`, [erased]);
    await client.query('COMMIT');
    await client.query(
      `INSERT INTO identity (app_id, open_id, entity_id, user_id, linked_at, source)
       VALUES ('wx1111111111111111', 'oAlice', 'acme', $1, '2026-11-23T08:00:00.120Z', 'code2session')`,
      [target],
    );
    await change(client, target);
    await untilPublished();

    const published = [...(await ofUsers(events, users)), ...(await ofUsers(notices, users))];
    const { rows, epoch } = await readPortion(database, { cursor: journalStart, filter: null, limit: 1000 });
    const expected = new Map(rows.map((row) => [row.eventId, row]));
    expect(published).toHaveLength(rows.length);
    for (const { topic, key, value, headers } of published) {
      const row = expected.get(headers.ce_id ?? '');
      if (row === undefined) throw new Error('an event that is not in the journal');
      expect({ key, value, headers }).toEqual({
        key: row.key,
        value: row.data,
        headers: toHeaders(attributesOf(row, epoch)),
      });
      expect(topic).toBe(row.version === null ? notices : events);
    }
    expect(guarded(published.filter(({ topic }) => topic === events))).toEqual(await journalOf(users));

    const last = new Map((await ofUsers(states, users)).map((record) => [record.key, record]));
    expect(last.size).toBe(users.length);
    const stateOf = (userId: string): unknown => JSON.parse(last.get(userId)?.value ?? 'null');
    expect(stateOf(erased)).toEqual({ id: erased, status: 'erased', version: 4 });
    expect(stateOf(merged)).toMatchObject({
      id: merged,
      status: 'merged',
      version: 4,
      mergedInto: target,
      identities: [],
    });
    expect(stateOf(target)).toMatchObject({
      entityId: 'acme',
      status: 'live',
      mergedInto: null,
      identities: [{ appId: 'wx1111111111111111', openId: 'oAlice', linkedAt: '2026-11-23T08:00:00.120Z' }],
      unionIds: [],
    });
    expect(last.get(target)?.headers).toMatchObject({ ce_type: 'identity.UserState.v1', ce_sequence: '0000000004' });

    const feed = await readFeed(database, { entityId: 'acme', after: null, limit: 1000, retentionDays: 30 });
    expect(new Set(feed?.items.map(({ row }) => row.eventId))).toEqual(
      new Set(published.map(({ headers }) => headers.ce_id)),
    );
    const metrics = await (await fetch(`${app.url}/metrics`)).text();
    expect(metrics).toContain('unionlink_journal_lag_events 0');
    expect(metrics).toContain(`unionlink_relay_published_total{topic="${events}"} ${rows.length - 1}`);
    expect(await app.stop()).toEqual({ code: 0, signal: null });
    expect(await owners()).toEqual([]);
  });

  it('publishes what drew its id early and committed late, and lets nobody wait for it (scenario 31)', async () => {
    await relay();
    const [early, late] = await createUsers(client, 2);
    if (early === undefined || late === undefined) throw new Error('no users');
    const other = await connect(fresh.url);
    await client.query('BEGIN');
    const paused = await step(client, early, await lock(client, early));
    const passing = await change(other, late);
    // A snapshot somebody holds, and a transaction that has written and stands still, stop nothing either.
    const holder = await connect(fresh.url);
    await holder.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
    await holder.query('SELECT count(*) FROM journal');
    const has = async ({ userId, eventId }: Step): Promise<boolean> =>
      (await ofUsers(events, [userId])).some(({ headers }) => headers.ce_id === eventId);
    await until(() => has(passing), { timeoutMs: 30_000 });
    expect(await has(paused)).toBe(false);
    await client.query('COMMIT');
    await until(() => has(paused), { timeoutMs: 30_000 });
    await change(client, early);
    await untilPublished();
    const records = await ofUsers(events, [early, late]);
    expect(guarded(records)).toEqual(await journalOf([early, late]));
    expect(expectSameCopies(records)).toBe(0);
    await holder.end();
    await other.end();
  });

  it('killed again and again under load, loses nothing and repeats only what it had not saved', async () => {
    const users = await createUsers(client, 24);
    const writing = load(users, 3);
    for (let kill = 0; kill < shortOrWhole(2, 20); kill += 1) {
      const before = await places();
      const app = await startRelay({ databaseUrl: fresh.url, env: { KAFKA_TOPIC_PREFIX: prefix }, waitFor: 'nothing' });
      await until(async () => (await places()) !== before, {
        timeoutMs: 30_000,
        intervalMs: 10,
        what: 'a saved place',
      });
      await delay(randomInt(60));
      await app.kill();
      await expireLeases();
    }
    await writing.end();
    await relay();
    await untilPublished();
    const records = await ofUsers(events, users);
    expect(guarded(records)).toEqual(await journalOf(users));
    expectSameCopies(records);
  }, 300_000);

  it('shares the shards with a second one, which takes over what is given back', async () => {
    const one = await relay();
    await until(async () => (await owners()).join() === '16', { timeoutMs: 30_000 });
    const users = await createUsers(client, 32);
    const writing = load(users, 2);
    const two = await relay();
    await until(async () => (await owners()).join() === '8,8', { timeoutMs: 60_000 });
    expect(await one.stop()).toEqual({ code: 0, signal: null });
    await until(async () => (await owners()).join() === '16', { timeoutMs: 30_000 });
    await writing.end();
    await untilPublished();
    const records = await ofUsers(events, users);
    expect(guarded(records)).toEqual(await journalOf(users));
    // Nobody was killed, so nothing came twice.
    expect(expectSameCopies(records)).toBe(0);
    expect(await two.stop()).toEqual({ code: 0, signal: null });
  }, 120_000);

  it('that stood still past its lease saves nothing, and the states are told again', async () => {
    const zombie = await relay();
    const users = await createUsers(client, 20);
    await untilPublished();
    zombie.pause();
    await expireLeases();
    for (const userId of users) await change(client, userId);
    await relay();
    await untilPublished();
    const before = await fresh.query('SELECT shard, owner, epoch FROM relay_shard ORDER BY shard');
    zombie.resume();
    await until(() => zombie.logs().some(({ msg }) => msg === 'leases lost'), { timeoutMs: 30_000 });
    expect(await fresh.query('SELECT shard, owner, epoch FROM relay_shard ORDER BY shard')).toEqual(before);
    for (const userId of users) await change(client, userId);
    await untilPublished();
    const records = await ofUsers(events, users);
    expect(guarded(records)).toEqual(await journalOf(users));
    const told = await ofUsers(states, users);
    for (const userId of users) {
      const ofUser = told.filter(({ key }) => key === userId);
      expect(ofUser.at(-1)?.headers.ce_sequence).toBe('0000000003');
      // Versions 1, 2 and 3, and once more after the take-over.
      expect(ofUser.length).toBeGreaterThanOrEqual(4);
    }
  }, 120_000);

  it('with a stale epoch moves no place', async () => {
    const [stale, holder] = [randomUUID(), randomUUID()];
    const taken = await takeShards(database, { owner: stale, max: 16, leaseMs: 30_000 });
    expect(taken).toHaveLength(16);
    expect(await takeShards(database, { owner: holder, max: 16, leaseMs: 30_000 })).toEqual([]);
    await expireLeases();
    const over = await takeShards(database, { owner: holder, max: 4, leaseMs: 30_000 });
    expect(over.map(({ epoch, hadExpired }) => ({ epoch, hadExpired }))).toEqual(
      Array.from({ length: 4 }, () => ({ epoch: 2, hadExpired: true })),
    );
    const cursor = encodeCursor({ ...journalStart, after: 7 });
    const leases = taken.map((lease) => ({ ...lease, cursor }));
    const saved = await saveShards(database, { owner: stale, leases, incarnation: null, leaseMs: 30_000 });
    expect(saved.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 12 }, (_, index) => index + 4));
    // Nor does anybody whose server has lost its memory since.
    const ours = over.map((lease) => ({ ...lease, cursor }));
    expect(await saveShards(database, { owner: holder, leases: ours, incarnation: 1, leaseMs: 30_000 })).toEqual([]);
    const rows = await fresh.query<{ moved: string }>('SELECT count(cursor) AS moved FROM relay_shard');
    expect(rows).toEqual([{ moved: '12' }]);
  });

  it('goes on when the broker comes back, without a gap, and callers of the API notice nothing (scenario 18)', async () => {
    const folder = join(services.folder, `broker-${randomUUID()}`);
    const broker = await startKafka({ folder, isShortLived: true });
    await createSmallTopics(prefix, broker.brokers);
    const app = await relay({ KAFKA_BROKERS: broker.brokers });
    const api = await startApi({ databaseUrl: fresh.url });
    started.push(api);
    await startAcmeOn(fresh, [api]);
    const callers = startCallers([api.url], Math.random);
    const untilMore = (answers: number, before = callers.ledger.length): Promise<true> =>
      until(() => callers.ledger.length > before + answers, { timeoutMs: 60_000, what: 'callers to be answered' });
    // The first ones find the process cold.
    await untilMore(600);
    const usualMs = median(callers.tookMs.slice(-300));
    await broker.kill();
    const answered = callers.ledger.length;
    await until(() => app.logs().some(({ msg }) => msg === 'batch failed; it will come again'), { timeoutMs: 60_000 });
    // It lives, and it is ready: the database answers.
    expect((await fetch(`${app.url}/readyz`)).status).toBe(200);
    await delay(shortOrWhole(2_000, 60_000));
    await untilMore(300, answered);
    const awayMs = median(callers.tookMs.slice(answered));
    const back = await startKafka({ folder, port: broker.port, isShortLived: true });
    expect(back.brokers).toBe(broker.brokers);
    await callers.end();
    await untilPublished(120_000);
    const users = [...new Set(callers.ledger.map(({ userId }) => userId))];
    const records = await ofUsers(events, users, back.brokers);
    const told = guarded(records);
    expect(told).toEqual(await journalOf(users));
    for (const { userId, version } of callers.ledger) expect(told.get(userId)?.length).toBeGreaterThanOrEqual(version);
    expectSameCopies(records);
    expect(callers.failures).toBe(0);
    expect(awayMs).toBeLessThan(3 * usualMs + 500);
    counted('answers of the API', { calls: callers.ledger.length, usualMs, awayMs });
    await app.kill();
    await back.kill();
  }, 240_000);

  it('refuses to start without Kafka', async () => {
    const without = await startRelay({ databaseUrl: fresh.url, env: { KAFKA_BROKERS: '' }, waitFor: 'nothing' });
    expect(await without.exited).toMatchObject({ code: 1 });
    expect(JSON.stringify(without.logs())).toContain('KAFKA_BROKERS');
  });

  it('makes the topics of the contract, and refuses to start on one that would forget people', async () => {
    const own = freshTopicPrefix();
    const env = { KAFKA_TOPIC_PREFIX: own };
    await (await relay(env)).kill();
    const admin = kafkaClient().admin();
    await admin.connect();
    const made = (await admin.listTopics()).filter((topic) => topic.startsWith(own));
    const { topics: found } = await admin.fetchTopicMetadata({ topics: made });
    expect(
      Object.fromEntries(found.map(({ name, partitions }) => [name.slice(own.length), partitions.length])),
    ).toEqual({
      'identity.user-events.v1': 48,
      'identity.user-states.v1': 48,
      'identity.notices.v1': 48,
      'identity.observations.v1': 48,
      'identity.acknowledgements.v1': 48,
      'identity.dead-letters.v1': 48,
    });
    const compacted = { type: ConfigResourceTypes.TOPIC, name: `${own}identity.user-states.v1` };
    const configEntries = [{ name: 'cleanup.policy', value: 'delete' }];
    await admin.alterConfigs({ validateOnly: false, resources: [{ ...compacted, configEntries }] });
    const refused = await startRelay({ databaseUrl: fresh.url, env, waitFor: 'nothing' });
    expect(await refused.exited).toMatchObject({ code: 1 });
    expect(JSON.stringify(refused.logs())).toContain(`${own}identity.user-states.v1: cleanup.policy is delete`);
    await admin.deleteTopics({ topics: made });
    await admin.disconnect();
  });
});
