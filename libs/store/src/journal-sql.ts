import type { Snapshot, SnapshotCursor } from './journal-cursor.js';

export interface PortionQuery {
  readonly cursor: SnapshotCursor;
  /** Of these shards, or of this entity; null: all. */
  readonly filter: { readonly shards: readonly number[] } | { readonly entityId: string } | null;
  /** Other types are passed over without their data being read. */
  readonly types?: readonly string[] | undefined;
  /** Rows looked at, the passed-over ones included. */
  readonly limit: number;
  /** Ends a portion that begins here at what this snapshot saw, so that readers with different places meet. */
  readonly upto?: Snapshot | undefined;
  /** Rows by transaction number among which the smallest id is looked for first; given, the short way is not tried. */
  readonly window?: number | undefined;
  /** How many ids a statement inside a portion looks at; left out: a million. */
  readonly reach?: number | undefined;
}

/**
 * Inside a portion that was begun long ago, all that was written since is passed over: without a limit one statement would
 * read to the end of the journal, and on a long one never come to its own.
 */
const reachMax = 1_000_000;

/** The last id that a statement looks at. */
export function reachOf({ cursor, reach = reachMax }: PortionQuery): number {
  return cursor.upto === null ? Number.MAX_SAFE_INTEGER : cursor.after + reach;
}

/**
 * Since when the server has lost no transaction number, in microseconds. The start of the postmaster alone would miss a
 * crash of one backend, after which everything recovers under the same postmaster; statistics are thrown away by every
 * recovery and kept by every clean stop.
 */
export const incarnationSql =
  '(extract(epoch FROM greatest(pg_postmaster_start_time(), pg_stat_get_bgwriter_stat_reset_time())) * 1000000)::bigint';

const columns = `j.id, to_char(j.recorded_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS time, j.entity_id,
  j.user_id, j.version, j.key, j.type, j.event_id, j.request_id, j.traceparent,
  CASE WHEN $7::text[] IS NULL OR j.type = ANY ($7) THEN j.data::text END AS data`;

/** Since when: `rows` that begin a FROM clause with its WHERE, and whether those are all there are. */
interface Source {
  readonly with: string;
  readonly rows: string;
  readonly isExact: string;
}

/**
 * What began since, by primary key from the smallest id of it: sorting a day's backlog for each page would be quadratic.
 *
 * The smallest id is found without reading the backlog: in the first rows by transaction number. A row beyond them with
 * a smaller id would have had its number given out before any of their ids was drawn, so all of their transactions would
 * have been running at one moment, and so many connections there are not.
 */
export function portionSql(query: PortionQuery, isBounded: boolean): string {
  const { cursor, filter } = query;
  const { seen } = cursor;
  const isStart = seen !== null && cursor.upto === null;
  const lowest = `SELECT min(id) AS id, count(*) < $6::int OR count(DISTINCT xid) > current_setting('max_connections')::int
      + current_setting('max_prepared_transactions')::int + current_setting('max_worker_processes')::int AS is_exact
    FROM (SELECT xid, id FROM journal WHERE xid >= $2::xid8 ORDER BY xid, id LIMIT $6::int) recent`;
  const bound = `${isBounded ? isVisible : ''} AND j.id <= ${reachOf(query)}`;
  return rowsSql(filter, bound, true, {
    with: `lowest AS MATERIALIZED (${isStart ? lowest : `SELECT 0 AS id, $6::int > 0 AS is_exact`})`,
    rows: `journal j WHERE j.id >= (SELECT id FROM lowest)
      ${seen === null ? 'AND $2::text IS NOT NULL' : `AND NOT pg_visible_in_snapshot(j.xid, ($2::text || ':' || $2::text || ':')::pg_snapshot)`}`,
    isExact: '(SELECT is_exact FROM lowest)',
  });
}

/** Rows that the short way looks at. */
export const tailMax = 100;

/** The short way to the same rows, where few began since: by transaction number alone. To be prepared. */
export function tailSql({ cursor, filter }: PortionQuery, isBounded: boolean): string {
  return rowsSql(filter, isBounded ? isVisible : '', cursor.seen?.running.length !== 0, {
    with: `recent AS MATERIALIZED (SELECT * FROM journal WHERE xid >= $2::xid8 ORDER BY xid, id LIMIT ${tailMax + 1})`,
    rows: 'recent j WHERE true',
    isExact: '(SELECT count(*) < $6::int FROM recent)',
  });
}

const isVisible = 'AND pg_visible_in_snapshot(j.xid, $1::pg_snapshot)';

/**
 * First what the statement saw. Then two sources, merged by id because one user may have a row in each: what was still
 * running when `seen` was taken, by exact look-up of its number; and what began since.
 */
function rowsSql(filter: PortionQuery['filter'], bound: string, hasRunning: boolean, since: Source): string {
  const isWanted = `AND j.id > $4::bigint ${bound} ${filterSql(filter)}`;
  const late = `UNION ALL
    (SELECT late.* FROM unnest($3::text[]) running (xid) CROSS JOIN LATERAL (
      SELECT ${columns} FROM journal j WHERE j.xid = running.xid::xid8 ${isWanted} ORDER BY j.id LIMIT $5::int) late)`;
  return `
    WITH ${since.with}
    SELECT 0::bigint AS id, NULL AS time, NULL AS entity_id, NULL::uuid AS user_id, NULL::bigint AS version, NULL AS key,
      NULL AS type, NULL::uuid AS event_id, NULL AS request_id, NULL AS traceparent,
      json_build_object('upto', coalesce($1::pg_snapshot, pg_current_snapshot()), 'incarnation', ${incarnationSql},
        'epoch', (SELECT epoch FROM installation), 'isExact', ${since.isExact},
        'newest', (SELECT max(id) FROM journal))::text AS data
    WHERE $3::text[] IS NOT NULL
    ${hasRunning ? late : ''}
    UNION ALL
    (SELECT ${columns} FROM ${since.rows} ${isWanted} ORDER BY j.id LIMIT $5::int)
    ORDER BY id LIMIT $5::int + 1`;
}

function filterSql(filter: PortionQuery['filter']): string {
  if (filter === null) return 'AND $8::text IS NULL';
  return 'shards' in filter ? 'AND j.shard = ANY ($8::smallint[])' : 'AND j.entity_id = $8::text';
}

export function filterValue(filter: PortionQuery['filter']): unknown {
  if (filter === null) return null;
  return 'shards' in filter ? filter.shards : filter.entityId;
}
