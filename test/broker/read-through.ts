import { randomBytes } from 'node:crypto';
import { kafkaClient } from '../harness/kafka.js';

export interface SeenRecord {
  readonly key: string;
  readonly value: string;
  readonly id: string;
  readonly version: number;
}

/** Every record of a topic from its beginning to where it ended when this was called, one by one and none kept. */
export async function readThrough(topic: string, brokers: string, take: (record: SeenRecord) => void): Promise<void> {
  const ends = await endsOf(topic, brokers);
  if (ends.size === 0) return;
  const consumer = kafkaClient(brokers).consumer({
    groupId: `spec-${randomBytes(6).toString('hex')}`,
    sessionTimeout: 30_000,
    maxWaitTimeInMs: 200,
  });
  try {
    await consumer.connect();
    await consumer.subscribe({ topic, fromBeginning: true });
    await new Promise<void>((resolve, reject) => {
      consumer.on(consumer.events.CRASH, ({ payload }) => {
        if (!payload.restart) reject(payload.error);
      });
      const run = consumer.run({
        autoCommit: false,
        eachBatch: ({ batch }) => {
          for (const { key, value, headers } of batch.messages) {
            take({
              key: String(key),
              value: String(value),
              id: String(headers?.ce_id),
              version: Number(String(headers?.ce_sequence)),
            });
          }
          const end = ends.get(batch.partition);
          if (end !== undefined && BigInt(batch.lastOffset()) + 1n >= end) ends.delete(batch.partition);
          if (ends.size === 0) resolve();
          return Promise.resolve();
        },
      });
      run.catch(reject);
    });
  } finally {
    await consumer.disconnect();
  }
}

/** By partition; of those that hold something. */
export async function endsOf(topic: string, brokers: string): Promise<Map<number, bigint>> {
  const admin = kafkaClient(brokers).admin();
  await admin.connect();
  try {
    const offsets = await admin.fetchTopicOffsets(topic);
    return new Map(
      offsets.flatMap(({ partition, low, high }) => (BigInt(high) > BigInt(low) ? [[partition, BigInt(high)]] : [])),
    );
  } finally {
    await admin.disconnect();
  }
}
