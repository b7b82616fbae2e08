import { setTimeout as delay } from 'node:timers/promises';
import type { Admin, Consumer, Kafka } from 'kafkajs';
import type { Logger } from 'pino';
import type { Database, PublishedPlace } from '#store';
import { holdDuty, leaveDuty, readPublishedPlaces, requestStates } from '#store';
import type { RelayMetrics } from '../operation/metrics.js';
import type { Difference, LastRecord } from './compare-states.js';
import { compareStates, isUserId, lastRecordOf } from './compare-states.js';

export interface SweepParts {
  readonly database: Database;
  readonly kafka: Kafka;
  /** Full name of the states topic. */
  readonly topic: string;
  readonly groupId: string;
  readonly owner: string;
  /** From the end of a sweep to the next; 0: never. */
  readonly everyMs: number;
  readonly metrics: RelayMetrics;
  readonly logger: Logger;
}

const duty = 'sweep of the states topic';
/** Beyond the time between two sweeps: how long one may take before another relay begins its own, which harms nobody. */
const leaseMarginSeconds = 60;
/** Users in memory. Above it those whose record is right are forgotten. */
const usersMax = 20_000;
/** Users compared in one statement, and the rest after it: traffic comes first. */
const pageUsers = 500;
const restMs = 20;
/** Nothing more comes, although the end is not reached: the rest is for the next sweep. */
const quietMs = 15_000;
const lookMs = 200;
const stopWithinMs = 2_000;
const namedMax = 10;

/** Where reading goes on, and where it ends; by partition. */
type Window = Map<number, { next: bigint; readonly end: bigint }>;

/**
 * Reads what was written to the states topic since the last sweep, whoever wrote it, and asks for the state of everybody
 * of whom it ends with less than the truth: on a compacted topic the last record is what stays. A stray send of a relay
 * that stood still, a tombstone, a mangled record: the next sweep mends it. Its place is that of a consumer group, which
 * begins at the end of the topic; what was wrong before is for `doctor`.
 */
export class StateSweep {
  private readonly stopping = new AbortController();
  private following: Promise<void> = Promise.resolve();

  constructor(private readonly parts: SweepParts) {}

  start(): void {
    if (this.parts.everyMs > 0) this.following = this.follow(this.stopping.signal);
  }

  /** Without waiting for a group that is being joined: nothing is lost with a sweep that does not end. */
  async stop(): Promise<void> {
    this.stopping.abort();
    const late = new AbortController();
    await Promise.race([this.following, pause(stopWithinMs, late.signal)]);
    late.abort();
  }

  private async follow(signal: AbortSignal): Promise<void> {
    const { database, owner, everyMs, logger } = this.parts;
    while (!signal.aborted) {
      try {
        const leaseSeconds = everyMs / 1_000 + leaseMarginSeconds;
        if (await holdDuty(database, duty, owner, leaseSeconds)) await this.sweep(signal);
      } catch (error) {
        logger.warn({ err: error }, 'the states topic is not swept; it will be tried again');
      }
      await pause(everyMs, signal);
    }
    await leaveDuty(database, duty, owner).catch(() => undefined);
  }

  private async sweep(signal: AbortSignal): Promise<void> {
    const { database, kafka, topic } = this.parts;
    const places = await readPublishedPlaces(database);
    const admin = kafka.admin({ retry: { retries: 2 } });
    let window: Window;
    try {
      await admin.connect();
      window = await this.windowOf(admin);
    } finally {
      await admin.disconnect();
    }
    if (window.size === 0 || signal.aborted) return;
    const consumer = kafka.consumer({
      groupId: this.parts.groupId,
      sessionTimeout: 30_000,
      allowAutoTopicCreation: false,
      retry: { retries: 2 },
    });
    const last = new Map<string, LastRecord>();
    try {
      await consumer.connect();
      await consumer.subscribe({ topics: [topic], fromBeginning: true });
      await this.read(consumer, window, signal, { last, places });
      if (signal.aborted) return;
      await this.settle(last, places, 0);
      const offsets = [...window].map(([partition, { next }]) => ({ topic, partition, offset: String(next) }));
      await consumer.commitOffsets(offsets);
    } finally {
      await consumer.disconnect();
    }
  }

  /** The partitions to which something was written since. The first time, only the place is noted. */
  private async windowOf(admin: Admin): Promise<Window> {
    const { topic, groupId, logger } = this.parts;
    const [group] = await admin.fetchOffsets({ groupId, topics: [topic] });
    const taken = new Map(group?.partitions.map(({ partition, offset }) => [partition, BigInt(offset)]));
    const window: Window = new Map();
    const anew: { partition: number; offset: string }[] = [];
    for (const { partition, low, high } of await admin.fetchTopicOffsets(topic)) {
      const [begin, end, place] = [BigInt(low), BigInt(high), taken.get(partition) ?? -1n];
      const next = place > end || place < begin ? begin : place;
      if (place < 0n) anew.push({ partition, offset: high });
      else if (next < end) window.set(partition, { next, end });
      if (place > end) {
        logger.warn({ partition }, 'the states topic is shorter than it was; it is swept from its beginning');
        anew.push({ partition, offset: low });
      }
    }
    if (anew.length > 0) await admin.setOffsets({ groupId, topic, partitions: anew });
    return window;
  }

  /** Until the ends, or until nothing more comes. */
  private async read(
    consumer: Consumer,
    window: Window,
    signal: AbortSignal,
    { last, places }: { readonly last: Map<string, LastRecord>; readonly places: readonly PublishedPlace[] },
  ): Promise<void> {
    const over = new AbortController();
    let crash: Error | null = null;
    consumer.on(consumer.events.CRASH, ({ payload: { error, restart } }) => {
      if (restart) return;
      crash = error;
      over.abort();
    });
    let readAt = performance.now();
    const passTo = (partition: number, lastOffset: string): void => {
      const part = window.get(partition);
      if (part === undefined || part.next >= part.end) return;
      const next = BigInt(lastOffset) + 1n;
      part.next = next < part.end ? next : part.end;
      readAt = performance.now();
      if ([...window.values()].every((one) => one.next >= one.end)) over.abort();
    };
    // Marks of transactions, which nobody hands us.
    consumer.on(consumer.events.END_BATCH_PROCESS, ({ payload: { batchSize, partition, lastOffset } }) => {
      if (batchSize === 0) passTo(partition, lastOffset);
    });
    await consumer.run({
      autoCommit: false,
      eachBatch: async (payload) => {
        const { batch } = payload;
        const part = window.get(batch.partition);
        if (part === undefined || part.next >= part.end || over.signal.aborted) return;
        for (const { key, value, offset } of batch.messages)
          if (BigInt(offset) < part.end) last.set(key?.toString() ?? '', lastRecordOf(value));
        if (last.size > usersMax) await this.settle(last, places, usersMax / 2);
        await payload.heartbeat();
        passTo(batch.partition, batch.lastOffset());
      },
    });
    const either = AbortSignal.any([over.signal, signal]);
    while (!either.aborted && performance.now() - readAt < quietMs) await pause(lookMs, either);
    over.abort();
    if (crash !== null) throw crash;
  }

  /**
   * Forgets those whose record is right. Of the others later records may come; where more than `keptMax` are left, or at
   * the end, they are asked for: one that was right after all is told twice, and that is all.
   */
  private async settle(
    last: Map<string, LastRecord>,
    places: readonly PublishedPlace[],
    keptMax: number,
  ): Promise<void> {
    const { database, logger, metrics } = this.parts;
    const all = [...last];
    const strange: Difference[] = [];
    for (let start = 0; start < all.length; start += pageUsers) {
      const page = all.slice(start, start + pageUsers);
      const differences = await compareStates(database, places, page);
      const wrong = differences.filter(({ kind }) => kind === 'behind' || kind === 'other');
      strange.push(...differences.filter((difference) => !wrong.includes(difference)));
      const kept = new Set(wrong.map(({ userId }) => userId));
      for (const [userId] of page) if (!kept.has(userId)) last.delete(userId);
      await delay(restMs);
    }
    if (strange.length > 0)
      logger.warn(
        // A key that is no id of ours may be anything.
        { count: strange.length, first: strange.filter(({ userId }) => isUserId(userId)).slice(0, namedMax) },
        'the states topic tells of what the database does not know: see "Backup and restore"',
      );
    if (last.size <= keptMax) return;
    const userIds = [...last.keys()];
    last.clear();
    await requestStates(database, userIds);
    metrics.statesToldAgain.inc(userIds.length);
    logger.warn({ count: userIds.length, first: userIds.slice(0, namedMax) }, 'states are told again');
  }
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal }).catch(() => undefined);
}
