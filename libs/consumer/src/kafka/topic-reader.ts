import { setTimeout as pause } from 'node:timers/promises';
import type { Consumer, EachBatchPayload, Kafka } from 'kafkajs';
import { fromRecord } from '../incoming.js';
import type { Sink } from '../source.js';

export interface ReaderOptions {
  readonly kafka: Kafka;
  readonly groupId: string;
  /** Full name. */
  readonly topic: string;
  readonly sink: Sink;
}

const heartbeatMs = 3_000;
/**
 * How long the partitions of a replica that was killed wait for it. Short, because heartbeats also go out while a
 * transaction takes long; a process that hangs is for the liveness probe to find.
 */
const sessionMs = 15_000;
/** Between two tries while the database is away; heartbeats go on, so that the group does not give us up. */
const databaseRetryMs = 1_000;

/**
 * Reads one topic in a consumer group without losing anything: an offset is committed to Kafka when the effects of its
 * record are committed in the database, and resolved after that, so that what Kafka did not take is fetched again. What is
 * redelivered the guard recognises.
 */
export class TopicReader {
  /** Set when KafkaJS gave up for good. */
  crash: Error | null = null;
  /** Milliseconds of the monotonic clock: the last answer to a fetch. */
  fetchedAt = performance.now();
  /** When the batch in hand last made progress; null: none is in hand. */
  workedAt: number | null = null;
  isDatabaseAway = false;
  private readonly consumer: Consumer;
  private isStopping = false;

  constructor(private readonly options: ReaderOptions) {
    this.consumer = options.kafka.consumer({
      groupId: options.groupId,
      sessionTimeout: sessionMs,
      heartbeatInterval: heartbeatMs,
      rebalanceTimeout: 60_000,
      readUncommitted: false,
      allowAutoTopicCreation: false,
      maxWaitTimeInMs: 500,
      // One that came back after a stop would hold partitions and do nothing.
      retry: { restartOnFailure: async () => !this.isStopping },
    });
    const { CRASH, FETCH, END_BATCH_PROCESS } = this.consumer.events;
    this.consumer.on(FETCH, () => (this.fetchedAt = performance.now()));
    this.consumer.on(END_BATCH_PROCESS, ({ payload }) => {
      if (payload.batchSize === 0) this.passOver(payload);
    });
    this.consumer.on(CRASH, ({ payload: { error, restart } }) => {
      options.sink.log('error', 'the Kafka consumer crashed', { error, restart });
      if (!restart) this.crash = error;
    });
  }

  async start(): Promise<void> {
    await this.consumer.connect();
    await this.consumer.subscribe({ topics: [this.options.topic], fromBeginning: true });
    await this.consumer.run({
      autoCommit: false,
      eachBatchAutoResolve: false,
      eachBatch: (payload) => this.take(payload),
    });
  }

  async stop(): Promise<void> {
    this.isStopping = true;
    await this.consumer.disconnect();
  }

  private async take(payload: EachBatchPayload): Promise<void> {
    this.workedAt = performance.now();
    // That the group is rebalancing, the next heartbeat between two transactions hears as well.
    const beating = setInterval(() => {
      if (!this.isStopping) payload.heartbeat().catch(() => undefined);
    }, heartbeatMs);
    try {
      const done = await this.applyBatch(payload);
      const last = payload.batch.messages[done - 1];
      if (last === undefined) return;
      const { topic, partition, messages } = payload.batch;
      const offset = done === messages.length ? payload.batch.lastOffset() : last.offset;
      const partitions = [{ partition, offset: after(offset) }];
      await payload.commitOffsetsIfNecessary({ topics: [{ topic, partitions }] });
      payload.resolveOffset(offset);
    } finally {
      clearInterval(beating);
      this.workedAt = null;
      this.isDatabaseAway = false;
    }
  }

  /** Marks of transactions, which nobody hands us; whoever waits for the end of a partition waits for them, too. */
  private passOver({ topic, partition, lastOffset }: { topic: string; partition: number; lastOffset: string }): void {
    this.consumer.commitOffsets([{ topic, partition, offset: after(lastOffset) }]).catch((error: unknown) => {
      this.options.sink.log('warn', 'the place behind a transaction was not noted; it is tried again', { error });
      if (!this.isStopping) this.consumer.seek({ topic, partition, offset: lastOffset });
    });
  }

  /** Answers how many records are done: all, unless we are stopping or the partition was taken away. */
  private async applyBatch(payload: EachBatchPayload): Promise<number> {
    const { batch } = payload;
    const records = batch.messages.map(({ key, headers, value }) => fromRecord({ key, headers: headers ?? {}, value }));
    let done = 0;
    let isGroupLost = false;
    /** KafkaJS tells here that the group is rebalancing; it must hear that error again to join anew. */
    const beat = (): Promise<void> =>
      payload.heartbeat().catch((error: unknown) => {
        isGroupLost = true;
        throw error;
      });
    const mayGoOn = (): boolean => payload.isRunning() && !payload.isStale() && !this.isStopping;
    while (done < records.length && mayGoOn()) {
      const before = done;
      try {
        await this.options.sink.apply(records.slice(before), {
          between: async (count) => {
            done = before + count;
            this.workedAt = performance.now();
            this.isDatabaseAway = false;
            await beat();
            return mayGoOn();
          },
        });
      } catch (error) {
        if (isGroupLost) throw error;
        this.isDatabaseAway = true;
        this.options.sink.log('warn', 'the database did not take the records; they are tried again', { error });
        await pause(databaseRetryMs);
        this.workedAt = performance.now();
        await beat();
      }
    }
    return done;
  }
}

const after = (offset: string): string => String(BigInt(offset) + 1n);
