import { randomBytes, randomUUID } from 'node:crypto';
import type { Kafka, TopicMessages } from 'kafkajs';
import { Partitioners } from 'kafkajs';
import { Client } from 'pg';
import { pino } from 'pino';
import { createKafka } from '../../apps/relay/src/kafka/client.js';
import type { OutRecord } from '../../apps/relay/src/kafka/sink.js';
import { prepareTopics } from '../../apps/relay/src/kafka/topics.js';
import { RelayMetrics } from '../../apps/relay/src/operation/metrics.js';
import { batchMax } from '../../apps/relay/src/publish/pipeline.js';
import { RecordMaker } from '../../apps/relay/src/publish/records.js';
import { Relay } from '../../apps/relay/src/publish/relay.js';
import { readRelaySettings } from '../../apps/relay/src/settings.js';
import {
  Database,
  journalStart,
  readPortion,
  readRelayLag,
  readStates,
  relayApplicationName,
} from '../../libs/store/src/index.js';
import { until } from '../until.js';

/**
 * The relay beside the bare KafkaJS producer: the same records in the same batches, in the same run. The database must be
 * migrated and is the benchmark's own.
 */
export interface RelayBenchOptions {
  readonly databaseUrl: string;
  readonly brokers: string;
  readonly events: number;
  readonly rounds: number;
}

export interface RelayBenchResult {
  /** Records (events and states) a second, medians of the rounds. */
  readonly barePerSecond: number;
  readonly relayPerSecond: number;
  readonly ratio: number;
  /** Of the relay's rate, while a snapshot is held open from before each round. */
  readonly snapshotRatio: number;
  readonly records: number;
}

const drainTimeoutMs = 300_000;
const silent = pino({ level: 'silent' });

export async function benchRelay(options: RelayBenchOptions): Promise<RelayBenchResult> {
  const settings = readRelaySettings({
    DATABASE_URL: options.databaseUrl,
    KAFKA_BROKERS: options.brokers,
    SECRETS_KEY: randomBytes(32).toString('base64'),
  });
  const prefix = `bench-${randomUUID().slice(0, 8)}.`;
  const kafka = createKafka(settings, 'bench', silent);
  const relayId = randomUUID();
  const database = new Database({
    url: options.databaseUrl,
    poolMax: 10,
    applicationName: relayApplicationName(relayId),
  });
  try {
    await fill(database, options.events);
    const batches = await readBatches(database, prefix);
    const records = batches.reduce((sum, batch) => sum + batch.length, 0);
    const topics = { prefix, replicationFactor: 0 };
    const admin = kafka.admin();
    await admin.connect();
    await prepareTopics(admin, topics);
    await admin.disconnect();
    const bare: number[] = [];
    const relayed: number[] = [];
    const held: number[] = [];
    const newRelay = (): Relay =>
      new Relay(database, kafka, new RelayMetrics(database), silent, {
        relayId,
        topics,
        leaseMs: 30_000,
        tracer: null,
        onlyStates: false,
      });
    for (let round = 0; round <= options.rounds; round += 1) {
      const bareRate = records / (await sendBare(kafka, batches));
      const relayRate = records / (await drain(database, newRelay()));
      const holder = await holdSnapshot(options.databaseUrl);
      const heldRate = records / (await drain(database, newRelay()));
      await holder.end();
      // The first round warms both up.
      if (round === 0) continue;
      bare.push(bareRate);
      relayed.push(relayRate);
      held.push(heldRate);
    }
    const barePerSecond = median(bare);
    const relayPerSecond = median(relayed);
    const snapshotRatio = median(held) / relayPerSecond;
    return { barePerSecond, relayPerSecond, ratio: relayPerSecond / barePerSecond, snapshotRatio, records };
  } finally {
    await database.close();
  }
}

/** Users with one identity and one unionId, and the event that made each. */
async function fill(database: Database, events: number): Promise<void> {
  const perStatement = 1000;
  for (let done = 0; done < events; done += perStatement) {
    await database.query({
      text: `
        WITH u AS MATERIALIZED (SELECT gen_random_uuid() AS id, n FROM generate_series(1, $1::int) n),
        a AS (INSERT INTO users (id, entity_id, status, version, created_at)
          SELECT id, 'bench', 'live', 1, clock_timestamp() FROM u),
        b AS (INSERT INTO identity (app_id, open_id, entity_id, user_id, linked_at, source)
          SELECT 'wx1111111111111111', 'o' || id, 'bench', id, clock_timestamp(), 'code2session' FROM u),
        c AS (INSERT INTO union_key (entity_id, open_platform_id, union_id, user_id, linked_at)
          SELECT 'bench', 'main', 'o' || id, id, clock_timestamp() FROM u)
        INSERT INTO journal (recorded_at, entity_id, shard, user_id, version, key, type, event_id, cause, actor, data)
        SELECT clock_timestamp(), 'bench', (abs(hashtext(id::text)) % 16)::smallint, id, 1, id::text,
          'identity.UserLinked.v1', gen_random_uuid(), 'login', 'service', json_build_object(
            'userId', id, 'version', 1, 'occurredAt', '2026-11-23T08:00:00.000Z', 'cause', 'login', 'created', true,
            'identity', json_build_object('appId', 'wx1111111111111111', 'openId', 'o' || id),
            'user', json_build_object('id', id, 'entityId', 'bench', 'status', 'live', 'version', 1))
        FROM u ORDER BY n`,
      values: [perStatement],
    });
  }
  await database.query({ text: 'ANALYZE' });
}

async function readBatches(database: Database, prefix: string): Promise<OutRecord[][]> {
  const maker = new RecordMaker(prefix);
  const batches: OutRecord[][] = [];
  for (let cursor = journalStart; ;) {
    const portion = await readPortion(database, { cursor, filter: null, limit: batchMax });
    const states = await readStates(
      database,
      portion.rows.flatMap(({ userId }) => userId ?? []),
      portion.epoch,
    );
    const records = portion.rows.map((row) => maker.ofRow(row, portion.epoch));
    if (records.length > 0) batches.push([...records, ...states.map((state) => maker.ofState(state))]);
    if (portion.isEnd) return batches;
    cursor = portion.next;
  }
}

/** As a dump or an analyst holds it; answers the connection to end. */
export async function holdSnapshot(databaseUrl: string): Promise<Client> {
  const holder = new Client({ connectionString: databaseUrl });
  await holder.connect();
  await holder.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
  await holder.query('SELECT count(*) FROM journal');
  return holder;
}

/** Seconds. One producer with our settings, nothing read and nothing saved in between. */
async function sendBare(kafka: Kafka, batches: readonly (readonly OutRecord[])[]): Promise<number> {
  const producer = kafka.producer({
    idempotent: true,
    maxInFlightRequests: 1,
    allowAutoTopicCreation: false,
    createPartitioner: Partitioners.DefaultPartitioner,
    retry: { retries: 10 },
  });
  await producer.connect();
  const start = performance.now();
  for (const batch of batches) await producer.sendBatch({ acks: -1, topicMessages: byTopic(batch) });
  const seconds = (performance.now() - start) / 1000;
  await producer.disconnect();
  return seconds;
}

function byTopic(records: readonly OutRecord[]): TopicMessages[] {
  const topics = new Map<string, TopicMessages>();
  for (const { topic, key, value, headers } of records) {
    const entry = topics.get(topic) ?? { topic, messages: [] };
    entry.messages.push({ key, value, headers });
    topics.set(topic, entry);
  }
  return [...topics.values()];
}

/** Seconds from the first lease to the last saved place. */
async function drain(database: Database, relay: Relay): Promise<number> {
  await database.query({ text: `UPDATE relay_shard SET cursor = NULL, owner = NULL, expires_at = 'epoch'` });
  const start = performance.now();
  await relay.start();
  await until(async () => (await readRelayLag(database)).events === 0, {
    timeoutMs: drainTimeoutMs,
    intervalMs: 50,
    what: 'the relay to publish everything',
  });
  const seconds = (performance.now() - start) / 1000;
  await relay.stop();
  return seconds;
}

const median = (numbers: readonly number[]): number => numbers.toSorted((a, b) => a - b)[numbers.length >> 1] ?? NaN;
