import { setTimeout as delay } from 'node:timers/promises';
import type { Admin } from 'kafkajs';
import kafkajs from 'kafkajs';
import type { Topic } from '#events';
import { topicName, topics } from '#events';
import type { FoundSetting } from './topic-settings.decision.js';
import { decideSettings } from './topic-settings.decision.js';

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

interface WantedTopic {
  readonly topic: Topic;
  readonly name: string;
}

/** What a human should know of a topic, which can be used all the same. */
export type WarnOfTopic = (what: { readonly topic: string; readonly reason: string }) => void;

/** Creates what is missing; checks what is there, and mends its settings. Answers the number of partitions by full name. */
export async function prepareTopics(
  admin: Admin,
  options: TopicOptions,
  warn: WarnOfTopic = () => undefined,
): Promise<ReadonlyMap<string, number>> {
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
  const found = await readSettings(admin, wanted);
  checkPolicies(wanted, found);
  const older = wanted.filter(({ name }) => existing.has(name));
  for (const one of older) await mend(admin, one, found.get(one.name) ?? [], options.replicationFactor, warn);
  if (missing.length > 0)
    await untilLed(
      admin,
      missing.map(({ name }) => name),
    );
  const { topics: described } = await admin.fetchTopicMetadata({ topics: wanted.map(({ name }) => name) });
  return new Map(described.map(({ name, partitions }) => [name, partitions.length]));
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
  // KafkaJS does not have lz4, snappy and zstd: the broker unpacks what a producer packed with one of them, and packs nothing
  // itself.
  config['compression.type'] = topic.direction === 'in' ? 'uncompressed' : 'producer';
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

async function readSettings(
  admin: Admin,
  wanted: readonly WantedTopic[],
): Promise<ReadonlyMap<string, readonly FoundSetting[]>> {
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: wanted.map(({ name }) => ({ type: kafkajs.ConfigResourceTypes.TOPIC, name })),
  });
  return new Map(
    resources.map(({ resourceName, configEntries }) => [
      resourceName,
      configEntries.map(({ configName, configValue, configSource }) => ({
        name: configName,
        value: configValue,
        isOwn: configSource === kafkajs.ConfigSource.TOPIC_CONFIG,
      })),
    ]),
  );
}

/** A states topic that deletes by age forgets people; an events topic that compacts forgets events. */
function checkPolicies(wanted: readonly WantedTopic[], found: ReadonlyMap<string, readonly FoundSetting[]>): void {
  const wrong = wanted.flatMap(({ topic, name }) => {
    const policy = found.get(name)?.find((setting) => setting.name === 'cleanup.policy')?.value;
    return policy === topic.cleanupPolicy
      ? []
      : [`${name}: cleanup.policy is ${policy ?? 'unknown'}, it must be ${topic.cleanupPolicy}`];
  });
  if (wrong.length > 0) throw new TopicRefused(wrong.join('\n'));
}

/** Where we may not, the topic is used as it is: what it lacks may never matter, and is told. */
async function mend(
  admin: Admin,
  { topic, name }: WantedTopic,
  found: readonly FoundSetting[],
  replicationFactor: number,
  warn: WarnOfTopic,
): Promise<void> {
  const { mended, left } = decideSettings(configOf(topic, replicationFactor), found);
  for (const setting of left) warn({ topic: name, reason: `${setting} is less than is promised to consumers` });
  if (mended === null) return;
  try {
    await admin.alterConfigs({
      validateOnly: false,
      resources: [{ type: kafkajs.ConfigResourceTypes.TOPIC, name, configEntries: [...mended] }],
    });
  } catch (error) {
    warn({ topic: name, reason: `its settings cannot be changed: ${String(error)}` });
  }
}
