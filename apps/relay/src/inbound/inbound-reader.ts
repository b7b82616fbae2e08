import { setTimeout as delay } from 'node:timers/promises';
import type { Consumer, EachBatchPayload, Kafka } from 'kafkajs';
import kafkajs from 'kafkajs';
import type { Logger } from 'pino';
import type { KafkaSink, SinkRecord } from '../kafka/sink.js';
import type { RelayMetrics } from '../operation/metrics.js';
import { bareRecord, cutBySize, letterRecord } from './dead-letters.js';
import type { Inbox, InboundRecord, Letter } from './inbox.js';
import { headersOf } from './inbox.js';
import { settle } from './settle.js';

export interface InboundReaderOptions {
  readonly kafka: Kafka;
  readonly groupId: string;
  /** Full names. */
  readonly topic: string;
  readonly deadLettersTopic: string;
  readonly inbox: Inbox;
  /** For the dead letters of this reader alone: a sink takes one send at a time. */
  readonly sink: KafkaSink;
  readonly metrics: RelayMetrics;
  readonly logger: Logger;
}

const heartbeatMs = 3_000;
/** How long the partitions of a relay that was killed wait for it. Heartbeats also go out while something takes long. */
const sessionMs = 15_000;
/** Between two tries while the database or Kafka is away. */
const retryMs = 1_000;
/** Nothing fetched for so long, with partitions to fetch from: KafkaJS 2.2.4 can fall silent (tulios/kafkajs#1441, #1720). */
const silentMs = 60_000;

/** Of one chunk: a storm of poison must not fill the log too. */
const loggedMax = 3;

const isTooLarge = (error: unknown): boolean =>
  error instanceof kafkajs.KafkaJSProtocolError && ['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE'].includes(error.type);

/** The reader is stopping, or its partition is somebody else's: what is not done yet is left to whoever comes next. */
class Interrupted extends Error {
  override readonly name = 'Interrupted';
}

/**
 * Reads one inbound topic in a consumer group, losing nothing and passing over nothing in silence: the place behind a
 * record is saved when its effect is committed, or when Kafka has acknowledged its dead letter. After a kill records
 * come again; their effects are the same once more.
 */
export class InboundReader {
  /** Set when KafkaJS gave up for good. */
  crash: Error | null = null;
  private fetchedAt = performance.now();
  private isBusy = false;
  private hasPartitions = false;
  private isStopping = false;
  private readonly consumer: Consumer;

  constructor(private readonly options: InboundReaderOptions) {
    this.consumer = options.kafka.consumer({
      groupId: options.groupId,
      sessionTimeout: sessionMs,
      heartbeatInterval: heartbeatMs,
      rebalanceTimeout: 60_000,
      readUncommitted: false,
      allowAutoTopicCreation: false,
      maxWaitTimeInMs: 500,
    });
    const { CRASH, FETCH, GROUP_JOIN } = this.consumer.events;
    this.consumer.on(FETCH, () => (this.fetchedAt = performance.now()));
    this.consumer.on(GROUP_JOIN, ({ payload }) => {
      this.hasPartitions = Object.values(payload.memberAssignment).some((partitions) => partitions.length > 0);
      this.fetchedAt = performance.now();
    });
    this.consumer.on(CRASH, ({ payload: { error, restart } }) => {
      options.logger.warn({ err: error, restart, topic: options.topic }, 'the reader of an inbound topic failed');
      if (!restart) this.crash = error;
    });
  }

  /** Reads on, as far as anyone can tell. */
  get isWell(): boolean {
    if (this.crash !== null) return false;
    return this.isBusy || !this.hasPartitions || performance.now() - this.fetchedAt < silentMs;
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

  /** What is in hand is finished, unless it waits for something that is away. */
  async stop(): Promise<void> {
    this.isStopping = true;
    await this.consumer.disconnect();
    await this.options.sink.close();
  }

  private async take(payload: EachBatchPayload): Promise<void> {
    this.isBusy = true;
    // That the group is rebalancing, the next heartbeat between two chunks hears as well.
    const beating = setInterval(() => void payload.heartbeat().catch(() => undefined), heartbeatMs);
    try {
      await this.takeChunks(payload);
    } catch (error) {
      if (!(error instanceof Interrupted)) throw error;
    } finally {
      clearInterval(beating);
      this.isBusy = false;
    }
  }

  private async takeChunks(payload: EachBatchPayload): Promise<void> {
    const { topic, partition, messages } = payload.batch;
    const { chunkMax } = this.options.inbox;
    for (let start = 0; start < messages.length; start += chunkMax) {
      this.checkInHand(payload);
      const chunk = messages.slice(start, start + chunkMax);
      const records = chunk.map(({ offset, timestamp, key, value, headers = {} }): InboundRecord => {
        return { topic, partition, offset, timestamp, key, value, headers: headersOf(headers) };
      });
      await this.takeChunk(payload, records);
      const isLast = start + chunkMax >= messages.length;
      const done = isLast ? payload.batch.lastOffset() : chunk.at(-1)?.offset;
      if (done === undefined) return;
      const partitions = [{ partition, offset: String(BigInt(done) + 1n) }];
      await payload.commitOffsetsIfNecessary({ topics: [{ topic, partitions }] });
      // Behind the commit: a place that Kafka did not take is taken again with what lies before it.
      payload.resolveOffset(done);
      // KafkaJS learns here that the group is rebalancing, and must hear that error again to join anew.
      await payload.heartbeat();
    }
  }

  private async takeChunk(payload: EachBatchPayload, records: readonly InboundRecord[]): Promise<void> {
    const { inbox, logger, metrics, topic } = this.options;
    const letters = await settle(records, inbox, {
      later: (why) => this.later(payload, why, 'records of an inbound topic are tried again'),
      fault: (why) => logger.error({ err: why, topic }, 'a record is put aside for a fault of ours'),
    });
    await this.send(payload, letters);
    metrics.taken(topic, records.length - letters.length, letters.length);
    if (letters.length === 0) return;
    const first = letters.slice(0, loggedMax).map(({ record, reason }) => ({ offset: record.offset, ...reason }));
    logger.warn({ topic, partition: payload.batch.partition, count: letters.length, first }, 'dead letters');
  }

  private async send(payload: EachBatchPayload, letters: readonly Letter[]): Promise<void> {
    const { deadLettersTopic } = this.options;
    for (const records of cutBySize(letters.map((letter) => letterRecord(deadLettersTopic, letter)))) {
      if (await this.isTaken(payload, records)) continue;
      for (const record of records)
        if (!(await this.isTaken(payload, [record]))) await this.sendBare(payload, bareRecord(record));
    }
  }

  /** False: larger than the topic takes. Whatever else is in the way is waited for. */
  private async isTaken(payload: EachBatchPayload, records: readonly SinkRecord[]): Promise<boolean> {
    for (;;) {
      try {
        await this.options.sink.send(records);
        return true;
      } catch (error) {
        if (isTooLarge(error)) return false;
        await this.later(payload, error, 'dead letters are sent again');
      }
    }
  }

  private async sendBare(payload: EachBatchPayload, record: SinkRecord): Promise<void> {
    const { logger, deadLettersTopic } = this.options;
    logger.warn({ topic: deadLettersTopic }, 'the dead letters take less than a record: its value is left out');
    while (!(await this.isTaken(payload, [record])))
      await this.later(payload, 'larger than the topic takes', 'a dead letter without its value is sent again');
  }

  private async later(payload: EachBatchPayload, why: unknown, what: string): Promise<void> {
    this.options.logger.warn({ reason: String(why), topic: this.options.topic }, what);
    await delay(retryMs);
    this.checkInHand(payload);
    await payload.heartbeat();
  }

  private checkInHand(payload: EachBatchPayload): void {
    if (this.isStopping || !payload.isRunning() || payload.isStale()) throw new Interrupted();
  }
}
