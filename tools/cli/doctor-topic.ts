import { createHash, randomBytes } from 'node:crypto';
import type { Kafka } from 'kafkajs';
import { pino } from 'pino';
import { topicName, topics } from '#events';
import type { Database, Examined, PublishedPlace, StateRecord, Violation } from '#store';
import { pickPublished, readPublishedPlaces, readStates, readIdsOfUsers } from '#store';
import { createKafka } from '../../apps/relay/src/kafka/client.js';
import { readRelaySettings } from '../../apps/relay/src/settings.js';

/** What the topic says last of a user. */
interface LastRecord {
  readonly version: number;
  readonly digest: string;
}

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
  const ids = [...records.keys()];
  let rows = 0;
  for (let start = 0; start < ids.length; start += pageUsers) {
    const page = ids.slice(start, start + pageUsers);
    const violations = await compare(database, places, records, page);
    rows += page.length;
    yield { walk, rows, violations };
  }
  for (let after = '00000000-0000-0000-0000-000000000000'; ;) {
    const page = await readIdsOfUsers(database, after, pageUsers);
    const missing = page.filter((id) => !records.has(id)).map((userId) => ({ userId, version: 1 }));
    const published = missing.length === 0 ? new Set<string>() : await pickPublished(database, places, missing);
    rows += missing.length;
    const violations = [...published].map((id) => violation('G6', 'the states topic has no record of the user', id));
    yield { walk, rows, violations };
    after = page.at(-1) ?? after;
    if (page.length < pageUsers) return;
  }
}

async function compare(
  database: Database,
  places: readonly PublishedPlace[],
  records: ReadonlyMap<string, LastRecord>,
  page: readonly string[],
): Promise<Violation[]> {
  const states = new Map((await readStates(database, page, 0)).map((state) => [state.event.key, state]));
  const violations: Violation[] = [];
  const behind: { userId: string; version: number }[] = [];
  for (const userId of page) {
    const record = records.get(userId);
    const state = states.get(userId);
    if (record === undefined) continue;
    if (state === undefined)
      violations.push(violation('G6', 'the states topic tells of a user that does not exist', userId));
    else if (record.version > versionOf(state))
      violations.push(
        violation('G6', `the states topic tells of version ${record.version}, which was never committed`, userId),
      );
    else if (record.version < versionOf(state)) behind.push({ userId, version: record.version + 1 });
    else if (record.digest !== digestOf(state.data))
      violations.push(violation('G5', 'the states topic shows the user otherwise than it is', userId));
  }
  if (behind.length === 0) return violations;
  const published = await pickPublished(database, places, behind);
  const stale = behind.filter(({ userId }) => published.has(userId));
  return [
    ...violations,
    ...stale.map(({ userId, version }) =>
      violation('G5', `the states topic ends before version ${version} of the user`, userId),
    ),
  ];
}

const versionOf = ({ event }: StateRecord): number => event.version ?? 0;
const violation = (rule: Violation['rule'], what: string, id: string): Violation => ({ rule, what, ids: [id] });

/** What a consumer learns from a state; a field that is added later is no difference. */
function digestOf(data: string): string {
  const { status, mergedInto = null, createdAt = null, identities = [], unionIds = [] } = JSON.parse(data);
  const owned = identities.map(({ appId, openId }: Record<string, string>) => `${appId}:${openId}`);
  const keys = unionIds.map(({ openPlatformId, unionId }: Record<string, string>) => `${openPlatformId}:${unionId}`);
  const told = JSON.stringify([status, mergedInto, createdAt, owned.toSorted(), keys.toSorted()]);
  return createHash('sha1').update(told).digest('base64');
}

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
          for (const { key, value } of batch.messages) keep(records, key?.toString() ?? '', value);
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

function keep(records: Map<string, LastRecord>, key: string, value: Buffer | null): void {
  if (value === null) {
    records.delete(key);
    return;
  }
  const text = value.toString();
  const { version } = JSON.parse(text);
  records.set(key, { version, digest: digestOf(text) });
}
