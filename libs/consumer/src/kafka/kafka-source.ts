import { randomBytes } from 'node:crypto';
import type { Admin, KafkaConfig } from 'kafkajs';
import { Kafka, logLevel } from 'kafkajs';
import type { Acknowledgement } from '#events';
import { topicName, topics } from '#events';
import { Loop } from '../loop.js';
import type { Sink, Source, SourceHealth } from '../source.js';
import { within } from '../within.js';
import { AnswerProducer } from './answer-producer.js';
import { boot, positions } from './boot.js';
import { TopicReader } from './topic-reader.js';

export interface KafkaOptions extends Pick<KafkaConfig, 'brokers' | 'ssl' | 'sasl' | 'clientId'> {
  /**
   * How the consumer group's name begins. The rest of it is drawn once and kept in the database, because offsets belong to
   * what was made of them: two databases never share a group, and a new one begins anew.
   */
  readonly groupId: string;
  /** KAFKA_TOPIC_PREFIX of the identity service. */
  readonly topicPrefix?: string;
  /** Without progress for so long, while there is something to read, liveness fails. Default 60 s. */
  readonly stalledAfterMs?: number;
}

const probeMs = 5_000;

/** Follows Kafka: boots from the states topic, then follows the events. */
export class KafkaSource implements Source {
  private readonly prefix: string;
  private readonly stalledAfterMs: number;
  private kafka: Kafka | null = null;
  private answers: AnswerProducer | null = null;
  private bootReader: TopicReader | null = null;
  private reader: TopicReader | null = null;
  /** Of proposed merges, in a group of its own: a question that takes long holds up no events. */
  private notices: TopicReader | null = null;
  private groupId = '';
  private beginning: Loop | null = null;

  constructor(private readonly options: KafkaOptions) {
    this.prefix = options.topicPrefix ?? '';
    this.stalledAfterMs = options.stalledAfterMs ?? 60_000;
  }

  start(sink: Sink): void {
    const { brokers, ssl, sasl, clientId = this.options.groupId } = this.options;
    const kafka = new Kafka({
      brokers,
      clientId,
      requestTimeout: 10_000,
      enforceRequestTimeout: true,
      connectionTimeout: 3_000,
      ...(ssl === undefined ? {} : { ssl }),
      ...(sasl === undefined ? {} : { sasl }),
      logLevel: logLevel.WARN,
      logCreator:
        () =>
        ({ namespace, log }) =>
          sink.log('debug', `kafkajs: ${log.message}`, { namespace }),
    });
    this.kafka = kafka;
    this.answers = new AnswerProducer(kafka, this.name('acknowledgements'));
    this.beginning = new Loop((signal) => this.begin(kafka, sink, signal), {
      name: 'beginning to follow Kafka',
      log: sink.log,
      idleMs: 60_000,
    });
    this.beginning.start();
  }

  async stop(): Promise<void> {
    await this.beginning?.stop();
    await Promise.all([this.reader?.stop(), this.notices?.stop()]);
    await this.answers?.close();
  }

  async answer(answers: readonly Acknowledgement[]): Promise<void> {
    await this.answers?.send(answers);
  }

  async check(): Promise<SourceHealth> {
    const { reader, beginning, kafka } = this;
    const workedAt = (reader ?? this.bootReader)?.workedAt ?? null;
    const now = performance.now();
    if (workedAt !== null && now - workedAt > this.stalledAfterMs)
      return dead('a transaction does not come to its end');
    if (reader === null || kafka === null) {
      return { isLive: true, isReady: false, problem: beginning?.failure?.message ?? 'booting from the states topic' };
    }
    const crash = reader.crash ?? this.notices?.crash ?? null;
    if (crash !== null) return dead(`the consumer gave up: ${crash.message}`);
    if (reader.isDatabaseAway) return { isLive: true, isReady: false, problem: 'the database does not answer' };
    if (workedAt !== null || now - reader.fetchedAt < this.stalledAfterMs) {
      return { isLive: true, isReady: true, problem: null };
    }
    return this.probe(kafka);
  }

  /** Nothing was fetched for long. Where Kafka is away, starting again would not help; where it answers, it would. */
  private async probe(kafka: Kafka): Promise<SourceHealth> {
    const admin = kafka.admin({ retry: { retries: 0 } });
    try {
      const isBehind = await within(probeMs, this.isBehind(admin), 'Kafka does not answer');
      return isBehind
        ? dead('there are events, and nothing is fetched')
        : { isLive: true, isReady: true, problem: null };
    } catch (error) {
      return { isLive: true, isReady: false, problem: error instanceof Error ? error.message : String(error) };
    } finally {
      void admin.disconnect().catch(() => undefined);
    }
  }

  private async isBehind(admin: Admin): Promise<boolean> {
    await admin.connect();
    const topic = this.name('userEvents');
    const taken = await positions(admin, this.groupId, topic);
    const offsets = await admin.fetchTopicOffsets(topic);
    return offsets.some(({ partition, low, high }) => BigInt(taken[partition] ?? low) < BigInt(high));
  }

  private async begin(kafka: Kafka, sink: Sink, signal: AbortSignal): Promise<'more' | 'idle'> {
    if (this.reader === null) await this.beginEvents(kafka, sink, signal);
    if (this.reader === null || !sink.wantsProposals || this.notices !== null || signal.aborted) return 'idle';
    const groupId = `${this.groupId}.notices`;
    this.notices = await started(new TopicReader({ kafka, groupId, topic: this.name('notices'), sink }));
    return 'idle';
  }

  private async beginEvents(kafka: Kafka, sink: Sink, signal: AbortSignal): Promise<void> {
    const groupId = (this.groupId = `${this.options.groupId}.${await followerId(sink)}`);
    const [statesTopic, eventsTopic] = [this.name('userStates'), this.name('userEvents')];
    const onReader = (booting: TopicReader): void => void (this.bootReader = booting);
    await boot({ kafka, groupId, statesTopic, eventsTopic, sink, onReader }, signal);
    this.bootReader = null;
    if (signal.aborted) return;
    this.reader = await started(new TopicReader({ kafka, groupId, topic: eventsTopic, sink }));
    sink.log('info', 'following the events', { topic: eventsTopic, groupId });
  }

  private name(topic: keyof typeof topics): string {
    return topicName(this.prefix, topics[topic]);
  }
}

async function started(reader: TopicReader): Promise<TopicReader> {
  try {
    await reader.start();
    return reader;
  } catch (error) {
    await reader.stop();
    throw error;
  }
}

/** Drawn when the database is followed into for the first time. */
function followerId(sink: Sink): Promise<string> {
  return sink.desk(async (book) => {
    const known = await book.cursor('follower');
    if (known !== null) return known;
    const drawn = randomBytes(6).toString('hex');
    await book.setCursor('follower', drawn);
    return drawn;
  });
}

const dead = (problem: string): SourceHealth => ({ isLive: false, isReady: false, problem });
