import type { Envelope } from '#events';
import type { JournalRow } from './journal.js';

/** The event that a row is, with its data parsed: as the HTTP feed tells it. */
export function envelopeOf(row: JournalRow, epoch: number): Envelope {
  return { ...attributesOf(row, epoch), data: JSON.parse(row.data) };
}

/** Its attributes alone. Kafka gets the data as it is stored. */
export function attributesOf(row: JournalRow, epoch: number): Envelope {
  return {
    id: row.eventId,
    entityId: row.entityId,
    type: row.type,
    time: row.time,
    subject: row.userId,
    key: row.key,
    version: row.version,
    epoch,
    causationId: row.requestId,
    traceparent: row.traceparent,
    data: null,
  };
}
