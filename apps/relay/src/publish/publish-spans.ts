import type { JournalRow } from '#store';
import type { Tracer } from '#tracing';
import { parseTraceparent } from '#tracing';
import type { OutRecord } from '../kafka/sink.js';

/** A span for each event of a send whose change was traced. Call what it answers when the send has ended. */
export function startPublishSpans(
  tracer: Tracer,
  steps: readonly { readonly row: JournalRow; readonly records: readonly OutRecord[] }[],
): (hasFailed: boolean) => void {
  const begun = steps.flatMap(({ row, records }) => {
    const parent = parseTraceparent(row.traceparent);
    const topic = records[0]?.topic;
    if (parent?.isSampled !== true || topic === undefined) return [];
    return [{ span: tracer.start(`send ${topic}`, 'producer', parent), topic, row }];
  });
  return (hasFailed) => {
    for (const { span, topic, row } of begun)
      span.end({
        hasFailed,
        attributes: {
          'messaging.system': 'kafka',
          'messaging.operation.type': 'send',
          'messaging.destination.name': topic,
          'messaging.message.id': row.eventId,
        },
      });
  };
}
