import { Refusal } from '#identity';
import type { Tracer } from '#tracing';
import { parseTraceparent } from '#tracing';
import type { Inbox, InboundRecord } from './inbox.js';
import { headerText } from './inbox.js';

/**
 * A span for each readable record, from its producer's trace where it has one. It lasts until the record was taken or
 * refused, what it waited for in between included; the change belongs to it, and so does the event.
 */
export function tracedInbox(inbox: Inbox, groupId: string, tracer: Tracer): Inbox {
  return {
    chunkMax: inbox.chunkMax,
    read: (record) => {
      const parent = parseTraceparent(headerText(record, 'traceparent'));
      const span = tracer.start(`process ${record.topic}`, 'consumer', parent);
      const work = inbox.read({ ...record, headers: { ...record.headers, traceparent: span.traceparent } });
      const attributes = attributesOf(record, groupId);
      return {
        keys: work.keys,
        apply: async () => {
          try {
            await tracer.within(span, () => work.apply());
            span.end({ attributes });
          } catch (error) {
            if (error instanceof Refusal && error.code !== 'unavailable') span.end({ attributes, hasFailed: true });
            throw error;
          }
        },
      };
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
