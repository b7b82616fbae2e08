import { setTimeout as delay } from 'node:timers/promises';
import type { Admin } from 'kafkajs';
import kafkajs from 'kafkajs';
import type { Topic } from '#events';
import { topicName, topics } from '#events';

/** The topics cannot be used as they are; only a human can decide what should become of them. */
export class TopicRefused extends Error {
  override readonly name = 'TopicRefused';
}

const hourMs = 3_600_000;
const ledWithinMs = 30_000;
const lookEveryMs = 50;
/** An event has at most 256 KiB; what goes to one partition in one send is kept below this too. */
export const recordBatchMaxBytes = 900_000;
export const messageMaxBytes = 2 * 1024 * 1024;
/** A dead letter is a record as large as any, and says why it is one. */
export const deadLetterRoomBytes = 64 * 1024;

export interface TopicOptions {
  readonly prefix: string;
  /** 0: the broker's default. */
  readonly replicationFactor: number;
}

/** Creates what is missing and checks what is there. Answers the number of partitions by full name. */
export async function prepareTopics(admin: Admin, options: TopicOptions): Promise<ReadonlyMap<string, number>> {
  const wanted = Object.values(topics).map((topic) => ({ topic, name: topicName(options.prefix, topic) }));
  const existing = new Set(await admin.listTopics());
  const missing = wanted.filter(({ name }) => !existing.has(name));
  if (missing.length > 0) {
    await admin.createTopics({
      waitForLeaders: true,
      topics: missing.map(({ topic, name }) => ({
        topic: name,
        numPartitions: topic.partitions,
        replicationFactor: options.replicationFactor === 0 ? -1 : options.replicationFactor,
        configEntries: configOf(topic, options.replicationFactor),
      })),
    });
  }
  await checkPolicies(admin, wanted);
  if (missing.length > 0)
    await untilLed(
      admin,
      missing.map(({ name }) => name),
    );
  const { topics: found } = await admin.fetchTopicMetadata({ topics: wanted.map(({ name }) => name) });
  return new Map(found.map(({ name, partitions }) => [name, partitions.length]));
}

/**
 * A new partition has a leader in the metadata before its broker knows that it is the one; what is sent in between is
 * refused and comes again. Asking for offsets is answered only by a leader that knows.
 */
async function untilLed(admin: Admin, names: readonly string[]): Promise<void> {
  const deadline = Date.now() + ledWithinMs;
  for (const name of names)
    for (;;) {
      try {
        await admin.fetchTopicOffsets(name);
        break;
      } catch (error) {
        if (Date.now() > deadline) throw error;
        await delay(lookEveryMs);
      }
    }
}

function configOf(topic: Topic, replicationFactor: number): { name: string; value: string }[] {
  const config: Record<string, string> = {
    'cleanup.policy': topic.cleanupPolicy,
    'message.timestamp.type': 'CreateTime',
    'max.message.bytes': String(topic === topics.deadLetters ? messageMaxBytes + deadLetterRoomBytes : messageMaxBytes),
  };
  // The broker unpacks what a producer packed with a codec that KafkaJS does not have (lz4, snappy, zstd).
  if (topic.direction === 'in') config['compression.type'] = 'uncompressed';
  if (topic.retentionMs !== null) config['retention.ms'] = String(topic.retentionMs);
  if (topic.cleanupPolicy === 'compact') {
    // A consumer may be away for a week and still sees what was deleted; nothing vanishes under one that is reading.
    config['delete.retention.ms'] = String(7 * 24 * hourMs);
    config['min.compaction.lag.ms'] = String(hourMs);
  }
  // Two copies before an acknowledgement, and one broker may still be away.
  if (replicationFactor >= 3) config['min.insync.replicas'] = '2';
  return Object.entries(config).map(([name, value]) => ({ name, value }));
}

/** A states topic that deletes by age forgets people; an events topic that compacts forgets events. */
async function checkPolicies(
  admin: Admin,
  wanted: readonly { readonly topic: Topic; readonly name: string }[],
): Promise<void> {
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: wanted.map(({ name }) => ({
      type: kafkajs.ConfigResourceTypes.TOPIC,
      name,
      configNames: ['cleanup.policy'],
    })),
  });
  const wrong = wanted.flatMap(({ topic, name }) => {
    const entries = resources.find(({ resourceName }) => resourceName === name)?.configEntries ?? [];
    const found = entries.find(({ configName }) => configName === 'cleanup.policy')?.configValue;
    return found === topic.cleanupPolicy
      ? []
      : [`${name}: cleanup.policy is ${found ?? 'unknown'}, it must be ${topic.cleanupPolicy}`];
  });
  if (wrong.length > 0) throw new TopicRefused(wrong.join('\n'));
}
