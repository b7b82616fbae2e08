import { randomBytes } from 'node:crypto';
import type { Admin, Message } from 'kafkajs';
import { Kafka, logLevel, Partitioners } from 'kafkajs';
import { topicName, topics } from '../../libs/events/src/index.js';
import { services } from './services.js';
import { until } from './until.js';

/** One record as specs look at it. */
export interface KafkaRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
  readonly key: string | null;
  /** null: a tombstone. */
  readonly value: string | null;
  readonly headers: Readonly<Record<string, string>>;
}

export interface ReadOptions {
  readonly brokers?: string;
  readonly timeoutMs?: number;
}

export const kafkaClient = (brokers = services.kafkaBrokers): Kafka =>
  new Kafka({ clientId: 'spec', brokers: brokers.split(','), logLevel: logLevel.NOTHING, retry: { retries: 8 } });

/** A prefix nobody else has, so that specs share the broker and not the topics. */
export const freshTopicPrefix = (): string => `t${randomBytes(5).toString('hex')}.`;

/** A new partition is announced before its leader knows; only a leader that does says where it ends. */
const untilServed = (admin: Admin, topic: string): Promise<unknown> =>
  until(() => admin.fetchTopicOffsets(topic), { timeoutMs: 60_000 });

export async function createTopic(topic: string, partitions = 3, brokers = services.kafkaBrokers): Promise<void> {
  const admin = kafkaClient(brokers).admin();
  await admin.connect();
  try {
    await admin.createTopics({
      waitForLeaders: false,
      topics: [{ topic, numPartitions: partitions, replicationFactor: 1 }],
    });
    await untilServed(admin, topic);
  } finally {
    await admin.disconnect();
  }
}

/** All topics of the product, with a few partitions each: where a spec is not about them, 288 are a long wait. */
export async function createSmallTopics(prefix: string, brokers?: string): Promise<void> {
  const admin = kafkaClient(brokers).admin();
  await admin.connect();
  try {
    const names = Object.values(topics).map((topic) => ({ topic: topicName(prefix, topic), ...topic }));
    await admin.createTopics({
      waitForLeaders: false,
      topics: names.map(({ topic, cleanupPolicy }) => ({
        topic,
        numPartitions: 3,
        replicationFactor: 1,
        configEntries: [{ name: 'cleanup.policy', value: cleanupPolicy }],
      })),
    });
    for (const { topic } of names) await untilServed(admin, topic);
  } finally {
    await admin.disconnect();
  }
}

/** Sends, and waits until all of it is stored. */
export async function produce(topic: string, messages: readonly Message[]): Promise<void> {
  const producer = kafkaClient().producer({ createPartitioner: Partitioners.DefaultPartitioner });
  await producer.connect();
  await producer.send({ topic, messages: [...messages] });
  await producer.disconnect();
}

/** What a transaction leaves that was undone: records that nobody is handed, and the mark behind them, as mirrors write. */
export async function undoTransaction(topic: string, partitions: readonly number[]): Promise<void> {
  const producer = kafkaClient().producer({
    transactionalId: `spec-${randomBytes(6).toString('hex')}`,
    idempotent: true,
    maxInFlightRequests: 1,
  });
  await producer.connect();
  const transaction = await producer.transaction();
  await transaction.send({
    topic,
    messages: partitions.map((partition) => ({ key: 'nobody', value: '{}', partition })),
  });
  await transaction.abort();
  await producer.disconnect();
}

/** Everything in the topic from its beginning to where it ended when this was called; by partition, then by offset. */
export async function readTopic(topic: string, options: ReadOptions = {}): Promise<KafkaRecord[]> {
  const admin = kafkaClient(options.brokers).admin();
  await admin.connect();
  const ends = new Map<number, bigint>();
  try {
    for (const { partition, low, high } of await admin.fetchTopicOffsets(topic)) {
      if (BigInt(high) > BigInt(low)) ends.set(partition, BigInt(high));
    }
  } finally {
    await admin.disconnect();
  }
  if (ends.size === 0) return [];
  const records = await consume(
    topic,
    (_, partition, nextOffset) => {
      const end = ends.get(partition);
      if (end !== undefined && nextOffset >= end) ends.delete(partition);
      return ends.size === 0;
    },
    options,
  );
  return records.toSorted((a, b) => a.partition - b.partition || Number(a.offset - b.offset));
}

/**
 * Reads the topic from its beginning until `isEnough` says so of what has come by then, in the order it came. Not
 * enough in time: an error that says how many came.
 */
export function collectRecords(
  topic: string,
  isEnough: (records: readonly KafkaRecord[]) => boolean,
  options: ReadOptions = {},
): Promise<KafkaRecord[]> {
  return consume(topic, isEnough, options);
}

/** The records' values, parsed. */
export const eventsOf = (records: readonly KafkaRecord[]): unknown[] =>
  records.map(({ value }) => (value === null ? null : (JSON.parse(value) as unknown)));

async function consume(
  topic: string,
  isEnough: (records: readonly KafkaRecord[], partition: number, nextOffset: bigint) => boolean,
  { brokers, timeoutMs = 30_000 }: ReadOptions,
): Promise<KafkaRecord[]> {
  const consumer = kafkaClient(brokers).consumer({
    groupId: `spec-${randomBytes(6).toString('hex')}`,
    sessionTimeout: 10_000,
    maxWaitTimeInMs: 200,
  });
  const records: KafkaRecord[] = [];
  let timer: NodeJS.Timeout | undefined;
  try {
    await consumer.connect();
    await consumer.subscribe({ topic, fromBeginning: true });
    await new Promise<void>((resolve, reject) => {
      timer = setTimeout(
        () => reject(new Error(`Waited ${timeoutMs} ms for enough of ${topic}; ${records.length} records came`)),
        timeoutMs,
      );
      // A crash it restarts from by itself (a coordinator that is still loading) is not the spec's concern.
      consumer.on(consumer.events.CRASH, ({ payload }) => {
        if (!payload.restart) reject(payload.error);
      });
      const run = consumer.run({
        autoCommit: false,
        eachBatch: ({ batch }) => {
          for (const message of batch.messages) {
            records.push({
              topic,
              partition: batch.partition,
              offset: BigInt(message.offset),
              key: message.key?.toString() ?? null,
              value: message.value?.toString() ?? null,
              headers: Object.fromEntries(
                Object.entries(message.headers ?? {}).flatMap(([name, value]) =>
                  // KafkaJS's types do not know of a header without a value.
                  (value as unknown) === null ? [] : [[name, String(value)]],
                ),
              ),
            });
          }
          if (isEnough(records, batch.partition, BigInt(batch.lastOffset()) + 1n)) resolve();
          return Promise.resolve();
        },
      });
      run.catch(reject);
    });
    return records;
  } finally {
    clearTimeout(timer);
    await consumer.disconnect();
  }
}
