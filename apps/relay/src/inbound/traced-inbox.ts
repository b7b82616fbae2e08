import { Refusal } from '#identity';
import type { Tracer } from '#tracing';
import { parseTraceparent } from '#tracing';
import type { Inbox, InboundRecord } from './inbox.js';
import { headerText, Unreadable } from './inbox.js';

/**
 * A span for each record, from its producer's trace where it has one. It lasts until the record was taken or refused,
 * what it waited for in between included; the change belongs to it, and so does the event.
 */
export function tracedInbox(inbox: Inbox, groupId: string, tracer: Tracer): Inbox {
  return {
    chunkMax: inbox.chunkMax,
    read: (record) => {
      const parent = parseTraceparent(headerText(record, 'traceparent'));
      const span = tracer.start(`process ${record.topic}`, 'consumer', parent);
      const attributes = attributesOf(record, groupId);
      /** What may pass is tried again, within the same span. */
      const failed = (error: unknown): never => {
        const isFinal = error instanceof Unreadable || (error instanceof Refusal && error.code !== 'unavailable');
        if (isFinal) span.end({ attributes: { ...attributes, 'error.type': error.code }, hasFailed: true });
        throw error;
      };
      try {
        const work = inbox.read({ ...record, headers: { ...record.headers, traceparent: span.traceparent } });
        return {
          keys: work.keys,
          apply: () => tracer.within(span, () => work.apply()).then(() => span.end({ attributes }), failed),
        };
      } catch (error) {
        return failed(error);
      }
    },
  };
}

/** By OpenTelemetry's conventions for Kafka; never the key, which names a person. */
const attributesOf = (
  { topic, partition, offset }: InboundRecord,
  groupId: string,
): Record<string, string | number> => ({
  'messaging.system': 'kafka',
  'messaging.operation.type': 'process',
  'messaging.destination.name': topic,
  'messaging.destination.partition.id': String(partition),
  'messaging.kafka.offset': Number(offset),
  'messaging.consumer.group.name': groupId,
});
