import type { IHeaders, Kafka, Message, Producer, RecordMetadata } from 'kafkajs';
import { Partitioners } from 'kafkajs';
import { connectionTimeoutMs, requestTimeoutMs } from './client.js';

export interface SinkRecord {
  /** Full name. */
  readonly topic: string;
  /** Null: any partition. */
  readonly key: string | Buffer | null;
  readonly value: string | Buffer | null;
  readonly headers: IHeaders;
}

/** A record of ours. */
export interface OutRecord extends SinkRecord {
  readonly key: string;
  readonly value: string;
}

const retries = 3;
const retryMaxMs = 1_000;
/** Longer than a send can last, with all its retries, before it is rejected. */
export const sendMaxMs = (retries + 1) * (requestTimeoutMs + connectionTimeoutMs + retryMaxMs);
const disconnectWithinMs = 3_000;
const knownMax = 2_000;

/** Kafka said yes to less than it was sent. */
class SendIncomplete extends Error {
  override readonly name = 'SendIncomplete';
}

/**
 * A producer that loses nothing, although KafkaJS 2.2.4 can lose what it was told was stored: it gives the sequence
 * numbers of a failed request to the next one, and the broker, which had stored the first, takes the second for its
 * repetition. So: one send at a time, and after any rejection the producer is thrown away with its numbers before
 * anything else is sent. When a partition moves to a broker that has already answered, a retry forgets it and succeeds;
 * so the answer must name every partition that was written to.
 */
export class KafkaSink {
  private producer: Producer | null = null;
  private isSending = false;
  private readonly partitionOf = Partitioners.DefaultPartitioner();
  private readonly knownPartitions = new Map<string, number>();
  private readonly partitionMetadata: ReadonlyMap<string, { partitionId: number; leader: number }[]>;

  constructor(
    private readonly kafka: Kafka,
    /** By full name. Kept from the start: a key must not change its partition under us. */
    partitionCounts: ReadonlyMap<string, number>,
  ) {
    this.partitionMetadata = new Map(
      [...partitionCounts].map(([topic, count]) => [
        topic,
        Array.from({ length: count }, (_, partitionId) => ({ partitionId, leader: 0 })),
      ]),
    );
  }

  /** As Java computes it: murmur2 over the key, which is asked for up to four times in a row. */
  partition(topic: string, key: string | Buffer | null): number {
    const metadata = this.partitionMetadata.get(topic);
    if (metadata === undefined) throw new Error(`${topic} is not a topic of ours`);
    const place = typeof key === 'string' ? `${metadata.length}/${key}` : null;
    const known = place === null ? undefined : this.knownPartitions.get(place);
    if (known !== undefined) return known;
    const partition = this.partitionOf({ topic, partitionMetadata: metadata as never, message: { key, value: null } });
    if (this.knownPartitions.size >= knownMax) this.knownPartitions.clear();
    if (place !== null) this.knownPartitions.set(place, partition);
    return partition;
  }

  /** Resolves when every record is stored by all in-sync replicas. Rejects: each may be stored, once or more, or not. */
  async send(records: readonly SinkRecord[]): Promise<void> {
    if (this.isSending) throw new Error('one send at a time: two in flight lose records');
    this.isSending = true;
    try {
      this.producer ??= await this.open();
      const { topicMessages, written } = this.byTopic(records);
      const answer = await this.producer.sendBatch({ acks: -1, topicMessages });
      checkAnswer(answer, written);
    } catch (error) {
      await this.discard();
      throw error;
    } finally {
      this.isSending = false;
    }
  }

  async close(): Promise<void> {
    await this.discard();
  }

  private async open(): Promise<Producer> {
    const producer = this.kafka.producer({
      idempotent: true,
      maxInFlightRequests: 1,
      allowAutoTopicCreation: false,
      createPartitioner:
        () =>
        ({ message }) =>
          message.partition ?? -1,
      // For ever would be the default of an idempotent producer: longer than any lease.
      retry: { retries, initialRetryTime: 100, maxRetryTime: retryMaxMs },
    });
    try {
      await producer.connect();
      return producer;
    } catch (error) {
      await close(producer);
      throw error;
    }
  }

  private async discard(): Promise<void> {
    const { producer } = this;
    this.producer = null;
    if (producer !== null) await close(producer);
  }

  private byTopic(records: readonly SinkRecord[]): {
    topicMessages: { topic: string; messages: Message[] }[];
    written: ReadonlySet<string>;
  } {
    const messages = new Map<string, Message[]>();
    const written = new Set<string>();
    for (const { topic, key, value, headers } of records) {
      const partition = this.partition(topic, key);
      written.add(`${topic}/${partition}`);
      const list = messages.get(topic);
      if (list === undefined) messages.set(topic, [{ key, value, headers, partition }]);
      else list.push({ key, value, headers, partition });
    }
    return { topicMessages: [...messages].map(([topic, list]) => ({ topic, messages: list })), written };
  }
}

function checkAnswer(answer: readonly RecordMetadata[], written: ReadonlySet<string>): void {
  const stored = new Set(
    answer.filter(({ errorCode }) => errorCode === 0).map((one) => `${one.topicName}/${one.partition}`),
  );
  const missing = [...written].filter((partition) => !stored.has(partition));
  if (missing.length > 0) throw new SendIncomplete(`not acknowledged: ${missing.slice(0, 5).join(', ')}`);
}

/** Where the broker does not answer, disconnecting would wait for requests that are given up already. */
async function close(producer: Producer): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, disconnectWithinMs);
  });
  const closed = producer.disconnect().catch(() => undefined);
  await Promise.race([closed, late]);
  clearTimeout(timer);
}
