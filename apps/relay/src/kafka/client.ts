import type { LogEntry } from 'kafkajs';
import { Kafka, logLevel } from 'kafkajs';
import type { Logger } from 'pino';
import type { KafkaAccess } from '#settings';
import { kafkaConfigOf } from '#settings';

/** How long a request may take, and a connection to be made. They bound how long one send can last (`sendMaxMs`). */
export const requestTimeoutMs = 5_000;
/**
 * Of a member of a group: SyncGroup is answered when the leader has said who reads what, and a leader that died is noticed
 * after its session. With the patience of a producer every such rebalance would fail, and begin the next one.
 */
export const groupRequestTimeoutMs = 30_000;
export const connectionTimeoutMs = 3_000;

export function createKafka(
  settings: KafkaAccess,
  clientId: string,
  logger: Logger,
  timeoutMs = requestTimeoutMs,
): Kafka {
  return new Kafka({
    clientId,
    ...kafkaConfigOf(settings),
    requestTimeout: timeoutMs,
    enforceRequestTimeout: true,
    connectionTimeout: connectionTimeoutMs,
    logLevel: logLevel.WARN,
    // What matters of its warnings and errors reaches us as a rejection; its own lines are for whoever looks closely.
    logCreator: () => (entry: LogEntry) =>
      logger.debug({ kafkajs: entry.log.message, namespace: entry.namespace }, 'kafkajs'),
  });
}
