import { setTimeout as delay } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import type { Kafka } from 'kafkajs';
import type { Logger } from 'pino';
import type { Database } from '#store';
import type { Tracer } from '#tracing';
import { KafkaSink } from '../kafka/sink.js';
import type { TopicOptions } from '../kafka/topics.js';
import { prepareTopics, TopicRefused } from '../kafka/topics.js';
import type { RelayMetrics } from '../operation/metrics.js';
import { Leases } from './leases.js';
import { Pipeline } from './pipeline.js';
import { RecordMaker } from './records.js';

export interface RelayOptions {
  readonly relayId: string;
  readonly topics: TopicOptions;
  readonly leaseMs: number;
  readonly tracer: Tracer | null;
  /** Events and notices are published by somebody else. */
  readonly onlyStates: boolean;
}

/** One waits for Kafka while the other reads: docs/measurements.md. */
export const pipelineCount = 2;
const lookEveryMs = 2_000;
const retryEveryMs = 2_000;
/** Of the ten seconds a supervisor gives us. A send that takes longer is left to its lease. */
const finishWithinMs = 8_000;

/** The journal's way to Kafka: leases, and pipelines that serve what is leased. */
@Injectable()
export class Relay {
  private readonly leases: Leases;
  private readonly stopping = new AbortController();
  private pipelines: Promise<void>[] = [];
  private sinks: KafkaSink[] = [];
  private looking: Promise<void> = Promise.resolve();
  /** Topics were prepared and publishing has begun. */
  hasStarted = false;

  constructor(
    private readonly database: Database,
    private readonly kafka: Kafka,
    private readonly metrics: RelayMetrics,
    private readonly logger: Logger,
    private readonly options: RelayOptions,
  ) {
    this.leases = new Leases(database, logger, options);
  }

  /**
   * Resolves when publishing has begun, with the partitions of every topic by full name, or with null when `stop` was
   * called. Throws TopicRefused; waits for a Kafka that is away.
   */
  async start(): Promise<ReadonlyMap<string, number> | null> {
    const partitionCounts = await this.prepared();
    if (partitionCounts === null) return null;
    const { topics, tracer, onlyStates } = this.options;
    const records = new RecordMaker(topics.prefix);
    const { database, leases, metrics, logger, kafka } = this;
    const pipelines = Array.from({ length: pipelineCount }, (_, index) => {
      const sink = new KafkaSink(kafka, partitionCounts);
      this.sinks.push(sink);
      const isOurs = (shard: number): boolean => shard % pipelineCount === index;
      return new Pipeline({ database, leases, sink, records, metrics, logger, tracer, onlyStates, isOurs });
    });
    leases.onTakeOver = (shards) => {
      for (const [index, { repair }] of pipelines.entries()) {
        repair.afterTakeOver(shards.filter((shard) => shard % pipelineCount === index));
      }
    };
    const { signal } = this.stopping;
    this.looking = this.keepLooking(signal);
    const onRing = (): void => pipelines.forEach(({ alarm }) => alarm.ring());
    void database.hearJournal({ onRing, signal });
    this.pipelines = pipelines.map((pipeline) => pipeline.run(signal));
    this.hasStarted = true;
    return partitionCounts;
  }

  /** Finishes the batches in hand and gives the leases back. */
  async stop(): Promise<void> {
    this.stopping.abort();
    const timeout = new AbortController();
    const hasFinished = await Promise.race([
      Promise.all([...this.pipelines, this.looking]).then(() => true),
      delay(finishWithinMs, false, { signal: timeout.signal }),
    ]);
    timeout.abort();
    // A lease must not be given away under a send that may still arrive.
    if (!hasFinished) return this.logger.warn('a send did not end in time; its leases run out by themselves');
    await this.leases.release(this.leases.shards(() => true));
    await Promise.all(this.sinks.map((sink) => sink.close()));
  }

  private async prepared(): Promise<ReadonlyMap<string, number> | null> {
    while (!this.stopping.signal.aborted) {
      const admin = this.kafka.admin();
      try {
        await admin.connect();
        return await prepareTopics(admin, this.options.topics, (what) => {
          this.logger.warn(what, 'a topic is not as it should be');
        });
      } catch (error) {
        if (error instanceof TopicRefused) throw error;
        this.logger.warn({ err: error }, 'Kafka cannot be asked for its topics; trying again');
      } finally {
        await admin.disconnect().catch(() => undefined);
      }
      await delay(retryEveryMs, undefined, { signal: this.stopping.signal }).catch(() => undefined);
    }
    return null;
  }

  private async keepLooking(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.leases.look();
        this.metrics.leases.set(this.leases.size);
      } catch (error) {
        this.logger.warn({ err: error }, 'the leases cannot be looked after');
      }
      await delay(lookEveryMs, undefined, { signal }).catch(() => undefined);
    }
  }
}
