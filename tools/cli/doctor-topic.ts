import { randomBytes } from 'node:crypto';
import type { Kafka } from 'kafkajs';
import { pino } from 'pino';
import { topicName, topics } from '#events';
import type { Database, Examined, Violation } from '#store';
import { pickPublished, readIdsOfUsers, readPublishedPlaces } from '#store';
import { createKafka } from '../../apps/relay/src/kafka/client.js';
import { readRelaySettings } from '../../apps/relay/src/settings.js';
import type { Difference, LastRecord } from '../../apps/relay/src/states/compare-states.js';
import { compareStates, lastRecordOf } from '../../apps/relay/src/states/compare-states.js';

export { isUserId } from '../../apps/relay/src/states/compare-states.js';

const pageUsers = 500;
const walk = 'states topic';

/**
 * Whether the compacted topic ends with the truth about everybody (G5, G6). Where the relay stands is read before the
 * topic is, and the tables after: what is still on its way is not held against it. Keeps some 150 bytes a user.
 */
export async function* examineTopic(database: Database): AsyncGenerator<Examined, void> {
  const settings = readRelaySettings(process.env);
  const kafka = createKafka(settings, 'unionlink-doctor', pino({ level: 'silent' }));
  const places = await readPublishedPlaces(database);
  const records = await readLast(kafka, topicName(settings.kafkaTopicPrefix, topics.userStates));
  const all = [...records];
  let rows = 0;
  for (let start = 0; start < all.length; start += pageUsers) {
    const page = all.slice(start, start + pageUsers);
    const violations = (await compareStates(database, places, page)).map(violationOf);
    rows += page.length;
    yield { walk, rows, violations };
  }
  for (let after = '00000000-0000-0000-0000-000000000000'; ;) {
    const page = await readIdsOfUsers(database, after, pageUsers);
    const missing = page.filter((id) => !records.has(id)).map((userId) => ({ userId, version: 1 }));
    const published = missing.length === 0 ? new Set<string>() : await pickPublished(database, places, missing);
    rows += missing.length;
    const violations = [...published].map((id) => violation('G6', noRecord, id));
    yield { walk, rows, violations };
    after = page.at(-1) ?? after;
    if (page.length < pageUsers) return;
  }
}

function violationOf({ userId, kind, version }: Difference): Violation {
  if (kind === 'unknown') return violation('G6', 'the states topic tells of a user that does not exist', userId);
  if (kind === 'beyond')
    return violation('G6', `the states topic tells of version ${version}, which was never committed`, userId);
  if (kind === 'other') return violation('G5', 'the states topic shows the user otherwise than it is', userId);
  return version < 0
    ? violation('G6', noRecord, userId)
    : violation('G5', `the states topic ends before version ${version + 1} of the user`, userId);
}

const noRecord = 'the states topic has no record of the user';
const violation = (rule: Violation['rule'], what: string, id: string): Violation => ({ rule, what, ids: [id] });

/** The last record of each key, from the beginning of the topic to where it ends now. */
async function readLast(kafka: Kafka, topic: string): Promise<Map<string, LastRecord>> {
  const records = new Map<string, LastRecord>();
  const admin = kafka.admin();
  await admin.connect();
  const groupId = `unionlink-doctor-${randomBytes(6).toString('hex')}`;
  const consumer = kafka.consumer({ groupId });
  try {
    const ends = new Map<number, bigint>();
    for (const { partition, low, high } of await admin.fetchTopicOffsets(topic))
      if (BigInt(high) > BigInt(low)) ends.set(partition, BigInt(high));
    if (ends.size === 0) return records;
    await consumer.connect();
    await consumer.subscribe({ topic, fromBeginning: true });
    await new Promise<void>((resolve, reject) => {
      consumer.on(consumer.events.CRASH, ({ payload }) => (payload.restart ? undefined : reject(payload.error)));
      const run = consumer.run({
        autoCommit: false,
        eachBatch: ({ batch }) => {
          for (const { key, value } of batch.messages) records.set(key?.toString() ?? '', lastRecordOf(value));
          const end = ends.get(batch.partition);
          if (end !== undefined && BigInt(batch.lastOffset()) + 1n >= end) ends.delete(batch.partition);
          if (ends.size === 0) resolve();
          return Promise.resolve();
        },
      });
      run.catch(reject);
    });
    return records;
  } finally {
    await consumer.disconnect();
    // Only a group that ever had a member is there to be removed.
    await admin.deleteGroups([groupId]).catch(() => undefined);
    await admin.disconnect();
  }
}
