import type { Database } from './database.js';
import type { JournalRow, StoredRow } from './journal.js';
import { journalRowOf } from './journal.js';
import type { SnapshotCursor } from './journal-cursor.js';
import { decodeCursor, parseSnapshot, snapshotText } from './journal-cursor.js';
import { incarnationSql } from './journal-sql.js';
import { lastIdBefore } from './journal-time.js';

/** Which rows of the journal are meant; what is null does not narrow. */
export interface Selection {
  readonly entityId: string | null;
  readonly userIds: readonly string[] | null;
  readonly types: readonly string[] | null;
  /** Inclusive. */
  readonly from: Date | null;
  /** Exclusive. */
  readonly to: Date | null;
}

type Row = StoredRow & { epoch: number };

const columns = `j.id, to_char(j.recorded_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS time, j.entity_id,
  j.user_id, j.version, j.key, j.type, j.event_id, j.request_id, j.traceparent, j.data::text AS data`;
const isSelected = `($1::text IS NULL OR j.entity_id = $1) AND ($2::uuid[] IS NULL OR j.user_id = ANY ($2))
  AND ($3::text[] IS NULL OR j.type = ANY ($3))
  AND ($4::timestamptz IS NULL OR j.recorded_at >= $4) AND ($5::timestamptz IS NULL OR j.recorded_at < $5)`;
/** How much earlier than its id a row may have been stamped. */
const rewindMs = 10 * 60_000;

/**
 * A page of what the relay has published already, by the places it has saved, in id order. What is yet to be published
 * is left to it: told from here first, it would be an event before its predecessors.
 */
export async function readPublished(
  database: Database,
  selection: Selection,
  page: { readonly after: number; readonly limit: number },
): Promise<{ readonly rows: readonly JournalRow[]; readonly epoch: number }> {
  const places = await database.query<{ shard: number; cursor: string }>({
    text: 'SELECT shard, cursor FROM relay_shard WHERE cursor IS NOT NULL',
  });
  const cursors = places.map(({ shard, cursor }) => ({ shard, ...decodeCursor(cursor) }));
  const after = Math.max(page.after, selection.from === null ? 0 : await floorOf(database, selection.from));
  const source = selection.userIds === null ? 'journal' : '(SELECT * FROM journal WHERE user_id = ANY ($2) OFFSET 0)';
  const found = await database.query<Row>({
    text: `SELECT ${columns}, (SELECT epoch FROM installation) AS epoch FROM ${source} j
      JOIN unnest($6::smallint[], $7::text[], $8::text[], $9::bigint[]) place (shard, seen, upto, after) ON place.shard = j.shard
      WHERE j.id > $10 AND ${isSelected} AND (pg_visible_in_snapshot(j.xid, place.seen::pg_snapshot)
        OR (pg_visible_in_snapshot(j.xid, place.upto::pg_snapshot) AND j.id <= place.after))
      ORDER BY j.id LIMIT $11`,
    values: [
      ...valuesOf(selection),
      cursors.map(({ shard }) => shard),
      cursors.map(({ seen }) => (seen === null || seen === undefined ? null : snapshotText(seen))),
      cursors.map(({ upto }) => (upto === null || upto === undefined ? null : snapshotText(upto))),
      cursors.map(({ after: last }) => last ?? 0),
      after,
      page.limit,
    ],
  });
  return { rows: found.map(journalRowOf), epoch: found[0]?.epoch ?? 1 };
}

/** The last rows as they are now, oldest first, and the place right behind all there is. */
export async function readLast(
  database: Database,
  selection: Selection,
  limit: number,
): Promise<{ readonly rows: readonly JournalRow[]; readonly next: SnapshotCursor; readonly epoch: number }> {
  // One statement: whatever commits later is not in the snapshot, and so comes to whoever goes on from it.
  const found = await database.query<Row & { snapshot: string; incarnation: number }>({
    text: `SELECT pg_current_snapshot()::text AS snapshot, ${incarnationSql} AS incarnation, installation.epoch AS epoch, last.*
      FROM installation LEFT JOIN LATERAL (
        SELECT ${columns} FROM journal j
        WHERE ${isSelected} ORDER BY j.id DESC LIMIT $6) last ON true`,
    values: [...valuesOf(selection), limit],
  });
  const [first] = found;
  if (first === undefined) throw new Error('the installation row is missing: run the migrations');
  const { snapshot, incarnation, epoch } = first;
  const rows = found.filter(({ id }) => id !== null).map(journalRowOf);
  const next = { seen: parseSnapshot(snapshot), upto: null, after: 0, incarnation };
  return { rows: rows.toReversed(), next, epoch };
}

/** Users in id order, for whoever goes through all of them. */
export async function readUserIds(
  database: Database,
  query: { readonly entityId: string | null; readonly after: string | null; readonly limit: number },
): Promise<{ readonly ids: readonly string[]; readonly epoch: number }> {
  const rows = await database.query<{ id: string; epoch: number }>({
    text: `SELECT id, (SELECT epoch FROM installation) AS epoch FROM users
      WHERE ($1::text IS NULL OR entity_id = $1) AND ($2::uuid IS NULL OR id > $2) ORDER BY id LIMIT $3`,
    values: [query.entityId, query.after, query.limit],
  });
  return { ids: rows.map(({ id }) => id), epoch: rows[0]?.epoch ?? 1 };
}

const floorOf = (database: Database, from: Date): Promise<number> => lastIdBefore(database, from.getTime() - rewindMs);

function valuesOf({ entityId, userIds, types, from, to }: Selection): unknown[] {
  return [entityId, userIds, types, from, to];
}
