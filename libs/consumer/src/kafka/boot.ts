import { setTimeout as pause } from 'node:timers/promises';
import type { Admin, Kafka } from 'kafkajs';
import type { Sink } from '../source.js';
import { TopicReader } from './topic-reader.js';

export interface BootOptions {
  readonly kafka: Kafka;
  readonly groupId: string;
  /** Full names. */
  readonly statesTopic: string;
  readonly eventsTopic: string;
  readonly sink: Sink;
  /** Told of the reader that boots, for whoever watches over it. */
  readonly onReader: (reader: TopicReader) => void;
}

/** Offsets by partition, as decimal texts. */
type Offsets = Readonly<Record<string, string>>;

/** Kept in the database, so that replicas share one boot and one that was killed is gone on with. */
interface Plan {
  /** Part of the group's name: a second boot reads from the start again. */
  readonly attempt: number;
  /** Where the states topic ended when the boot began. */
  readonly ends: Offsets;
  /** Where the events topic began then: what was deleted before is in the states. */
  readonly eventsFrom: Offsets;
  readonly isDone: boolean;
}

const checkMs = 250;

/**
 * Reads the states topic from its start to where it ends now: everybody there is, however long ago they changed. Once per
 * database; and again when we were away for longer than the events are kept, for what was deleted unread is lost to us.
 * Resolves when it is done, by us or by another replica.
 */
export async function boot(options: BootOptions, signal: AbortSignal): Promise<void> {
  const { kafka, sink, statesTopic, groupId } = options;
  const admin = kafka.admin();
  await admin.connect();
  try {
    const plan = await makePlan(options, admin);
    if (plan.isDone) return;
    const bootGroup = `${groupId}.boot-${plan.attempt}`;
    const isRead = async (): Promise<boolean> => {
      const taken = await positions(admin, bootGroup, statesTopic);
      return Object.entries(plan.ends).every(([partition, end]) => BigInt(taken[partition] ?? 0) >= BigInt(end));
    };
    if (!(await isRead())) {
      sink.log('info', 'booting from the states topic', { attempt: plan.attempt });
      const reader = new TopicReader({ kafka, groupId: bootGroup, topic: statesTopic, sink });
      options.onReader(reader);
      await readUntil(reader, isRead, signal);
      if (signal.aborted) return;
    }
    await sink.desk(async (book) => {
      const now = parsePlan(await book.cursor(nameOf(options)));
      if (now?.attempt === plan.attempt) await book.setCursor(nameOf(options), text({ ...plan, isDone: true }));
    });
    sink.log('info', 'booted from the states topic', { attempt: plan.attempt });
  } finally {
    await admin.disconnect();
  }
}

async function readUntil(reader: TopicReader, isRead: () => Promise<boolean>, signal: AbortSignal): Promise<void> {
  try {
    await reader.start();
    while (!signal.aborted && !(await isRead())) {
      if (reader.crash !== null) throw reader.crash;
      await pause(checkMs);
    }
  } finally {
    await reader.stop();
  }
}

async function makePlan(options: BootOptions, admin: Admin): Promise<Plan> {
  const states = await admin.fetchTopicOffsets(options.statesTopic);
  const events = await admin.fetchTopicOffsets(options.eventsTopic);
  const taken = await positions(admin, options.groupId, options.eventsTopic);
  const fresh = {
    ends: Object.fromEntries(
      states
        .filter(({ low, high }) => BigInt(high) > BigInt(low))
        .map(({ partition, high }) => [String(partition), high]),
    ),
    eventsFrom: Object.fromEntries(events.map(({ partition, low }) => [String(partition), low])),
    isDone: false,
  };
  return options.sink.desk(async (book) => {
    const known = parsePlan(await book.cursor(nameOf(options)));
    const isHole = (partition: string, low: string): boolean =>
      BigInt(taken[partition] ?? 0) < BigInt(low) && BigInt(known?.eventsFrom[partition] ?? 0) < BigInt(low);
    const hasHole = Object.entries(fresh.eventsFrom).some(([partition, low]) => isHole(partition, low));
    // Another Kafka than the one the boot began on: where that one ended is never reached here.
    const isElsewhere = Object.entries(known?.ends ?? {}).some(
      ([partition, end]) => BigInt(end) > BigInt(fresh.ends[partition] ?? 0),
    );
    const mustBoot = known === null || (known.isDone ? hasHole : isElsewhere);
    if (!mustBoot) return known;
    if (known?.isDone === true) options.sink.log('warn', 'events were deleted before we had read them; booting again');
    const plan = { ...fresh, attempt: (known?.attempt ?? 0) + 1 };
    await book.setCursor(nameOf(options), text(plan));
    return plan;
  });
}

/** What a group has committed; a partition it has not begun is left out. */
export async function positions(admin: Admin, groupId: string, topic: string): Promise<Offsets> {
  const [found] = await admin.fetchOffsets({ groupId, topics: [topic] });
  const committed = (found?.partitions ?? []).filter(({ offset }) => BigInt(offset) >= 0n);
  return Object.fromEntries(committed.map(({ partition, offset }) => [String(partition), offset]));
}

const nameOf = ({ statesTopic }: BootOptions): string => `boot ${statesTopic}`;
const text = (plan: Plan): string => JSON.stringify(plan);

function parsePlan(value: string | null): Plan | null {
  if (value === null) return null;
  const plan: Plan = JSON.parse(value);
  return plan;
}
