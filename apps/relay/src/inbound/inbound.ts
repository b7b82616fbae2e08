import { setTimeout as delay } from 'node:timers/promises';
import type { Kafka } from 'kafkajs';
import type { Logger } from 'pino';
import { topicName, topics } from '#events';
import { Answers, Resolver } from '#identity';
import type { Tracer } from '#tracing';
import { KafkaSink } from '../kafka/sink.js';
import type { RelayMetrics } from '../operation/metrics.js';
import { AcknowledgementsInbox } from './acknowledgements.js';
import type { Inbox } from './inbox.js';
import { InboundReader } from './inbound-reader.js';
import { ObservationsInbox } from './observations.js';
import { tracedInbox } from './traced-inbox.js';

export interface InboundParts {
  readonly kafka: Kafka;
  readonly metrics: RelayMetrics;
  readonly logger: Logger;
  /** KAFKA_TOPIC_PREFIX. */
  readonly prefix: string;
  readonly resolver: Resolver;
  readonly answers: Answers;
  readonly tracer: Tracer | null;
  /** Whatever the rules need before the first record; tried again until it succeeds. */
  readonly prepare: (signal: AbortSignal) => Promise<void>;
}

const lookEveryMs = 1_000;
const restartAfterMs = 5_000;
/** Half of what the process has. */
const stopWithinMs = 5_000;

/** The way in from Kafka: one reader for each inbound topic, begun anew when it gave up. */
export class Inbound {
  private readonly stopping = new AbortController();
  private following: Promise<void>[] = [];

  constructor(private readonly parts: InboundParts) {}

  /** Resolves when reading has begun or `stop` was called. The topics must have been prepared. */
  async start(partitionCounts: ReadonlyMap<string, number>): Promise<void> {
    const { signal } = this.stopping;
    await this.parts.prepare(signal);
    if (signal.aborted) return;
    const { resolver, answers } = this.parts;
    this.following = [
      this.follow(topics.observations, new ObservationsInbox(resolver), partitionCounts),
      this.follow(topics.acknowledgements, new AcknowledgementsInbox(answers), partitionCounts),
    ];
  }

  /**
   * What is in hand is finished, if that does not take too long: KafkaJS cannot leave a group while it is joining it, which
   * lasts as long as the slowest member. What is given up here was not saved, and comes again elsewhere.
   */
  async stop(): Promise<void> {
    this.stopping.abort();
    const late = new AbortController();
    const followed = Promise.all(this.following).then(() => late.abort());
    await Promise.race([followed, pause(stopWithinMs, late.signal)]);
    if (!late.signal.aborted) this.parts.logger.warn('stopped without waiting for the inbound topics any longer');
  }

  private async follow(
    topic: { readonly name: string },
    inbox: Inbox,
    partitionCounts: ReadonlyMap<string, number>,
  ): Promise<void> {
    const { kafka, metrics, logger, prefix, tracer } = this.parts;
    const { signal } = this.stopping;
    const name = topicName(prefix, topic);
    // With the prefix: installations that share a broker share no group.
    const groupId = `${prefix}unionlink.${topic.name}`;
    while (!signal.aborted) {
      const reader = new InboundReader({
        kafka,
        groupId,
        topic: name,
        deadLettersTopic: topicName(prefix, topics.deadLetters),
        inbox: tracer === null ? inbox : tracedInbox(inbox, groupId, tracer),
        sink: new KafkaSink(kafka, partitionCounts),
        metrics,
        logger,
      });
      try {
        await reader.start();
        while (!signal.aborted && reader.isWell) await pause(lookEveryMs, signal);
      } catch (error) {
        logger.warn({ err: error, topic: name }, 'an inbound topic cannot be read');
      }
      await reader.stop().catch((error: unknown) => logger.warn({ err: error, topic: name }, 'a reader did not stop'));
      if (signal.aborted) return;
      logger.warn({ topic: name }, 'the inbound topic is read anew');
      await pause(restartAfterMs, signal);
    }
  }
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal }).catch(() => undefined);
}
