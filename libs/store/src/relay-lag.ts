import type { Database } from './database.js';
import { decodeCursor, journalStart } from './journal-cursor.js';

export interface RelayLag {
  /** Rows not yet published; counted up to `lagMax`. */
  readonly events: number;
  /** How long the oldest of them has waited; 0: none does. */
  readonly oldestSeconds: number;
}

/** Counting further would cost the database what the relay needs. */
export const lagMax = 200_000;

/** How far Kafka is behind the journal, by the stored places of all shards. */
export async function readRelayLag(database: Database): Promise<RelayLag> {
  const rows = await database.query<{ cursor: string | null; shards: number[] }>({
    name: 'relay-places',
    text: 'SELECT cursor, array_agg(shard::int) AS shards FROM relay_shard GROUP BY cursor',
  });
  let events = 0;
  let oldestSeconds = 0;
  for (const { cursor, shards } of rows) {
    const lag = await lagBehind(database, cursor, shards);
    events = Math.min(lagMax, events + lag.events);
    oldestSeconds = Math.max(oldestSeconds, lag.oldestSeconds);
  }
  return { events, oldestSeconds };
}

/** Inside a portion what is left of it is counted by primary key; between two, what began or ended since. */
async function lagBehind(database: Database, stored: string | null, shards: readonly number[]): Promise<RelayLag> {
  const { seen, upto, after } = (stored === null ? null : decodeCursor(stored)) ?? journalStart;
  const isInside = seen === null || upto !== null;
  const source = isInside
    ? `(SELECT recorded_at FROM journal WHERE id > $1::bigint AND shard = ANY ($2::smallint[])
        AND NOT pg_visible_in_snapshot(xid, ($4::text || ':' || $4::text || ':')::pg_snapshot) ORDER BY id LIMIT $3)`
    : `(SELECT recorded_at FROM journal WHERE xid >= $4::text::xid8 AND id > $1::bigint AND shard = ANY ($2::smallint[])
        ORDER BY xid, id LIMIT $3)`;
  const rows = await database.query<{ events: number; oldest: number | null }>({
    text: `SELECT count(*) AS events, extract(epoch FROM clock_timestamp() - min(recorded_at))::float8 AS oldest FROM (
      ${source}
      UNION ALL
      (SELECT late.recorded_at FROM unnest($5::text[]) running (xid) CROSS JOIN LATERAL (
        SELECT recorded_at FROM journal WHERE xid = running.xid::xid8 AND id > $1::bigint AND shard = ANY ($2::smallint[])
        ORDER BY id LIMIT $3) late)) unpublished`,
    values: [after, shards, lagMax, String(seen?.xmax ?? 3), (seen?.running ?? []).map(String)],
  });
  return { events: rows[0]?.events ?? 0, oldestSeconds: Math.max(0, rows[0]?.oldest ?? 0) };
}
