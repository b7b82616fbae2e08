import { randomUUID } from 'node:crypto';
import { Kafka, logLevel } from 'kafkajs';
import { pino } from 'pino';
import { RelayMetrics } from '../../apps/relay/src/operation/metrics.js';
import { Relay } from '../../apps/relay/src/publish/relay.js';
import { Database, relayApplicationName } from '../../libs/store/src/index.js';

export interface PublisherOptions {
  readonly databaseUrl: string;
  /** KAFKA_TOPIC_PREFIX. */
  readonly prefix: string;
  readonly brokers: string;
  readonly leaseMs?: number;
  /** The process has five seconds; a spec about silence has less patience. */
  readonly requestTimeoutMs?: number;
  /** Other relays leave it nothing, as if it had long stood still. */
  readonly isUncounted?: boolean;
}

/** The publishing half of a relay inside the spec's own process, with limits of the spec's choice. */
export interface Publisher {
  failures(): Promise<number>;
  stop(): Promise<void>;
}

export async function startPublisher(options: PublisherOptions): Promise<Publisher> {
  const relayId = randomUUID();
  const requestTimeout = options.requestTimeoutMs ?? 5_000;
  const kafka = new Kafka({
    clientId: `publisher-${relayId}`,
    brokers: [options.brokers],
    requestTimeout,
    enforceRequestTimeout: true,
    connectionTimeout: requestTimeout,
    logLevel: logLevel.NOTHING,
  });
  const database = new Database({
    url: options.databaseUrl,
    poolMax: 6,
    applicationName: options.isUncounted === true ? 'uncounted' : relayApplicationName(relayId),
  });
  const metrics = new RelayMetrics(database);
  const topics = { prefix: options.prefix, replicationFactor: 0 };
  const relay = new Relay(database, kafka, metrics, pino({ level: 'silent' }), {
    relayId,
    topics,
    leaseMs: options.leaseMs ?? 30_000,
    tracer: null,
    onlyStates: false,
  });
  await relay.start();
  return {
    failures: async () => (await metrics.sendFailures.get()).values.reduce((sum, { value }) => sum + value, 0),
    stop: async () => {
      await relay.stop();
      await database.close();
    },
  };
}
