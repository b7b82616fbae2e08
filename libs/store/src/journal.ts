import type { Database } from './database.js';
import type { Snapshot, SnapshotCursor } from './journal-cursor.js';
import { parseSnapshot, sawAsMuch, snapshotText } from './journal-cursor.js';
import type { PortionQuery } from './journal-sql.js';
import { filterValue, portionSql, reachOf, tailMax, tailSql } from './journal-sql.js';

/** One row of the journal as its readers need it. */
export interface JournalRow {
  readonly id: number;
  /** RFC 3339, UTC, milliseconds. */
  readonly time: string;
  readonly entityId: string;
  readonly userId: string | null;
  /** Null: a notice. */
  readonly version: number | null;
  readonly key: string;
  readonly type: string;
  readonly eventId: string;
  readonly requestId: string | null;
  readonly traceparent: string | null;
  /** The JSON as stored: to Kafka it goes as it is, neither parsed nor written again. */
  readonly data: string;
}

export interface Portion {
  readonly rows: readonly JournalRow[];
  /** Where to go on; its incarnation is the server's of now. */
  readonly next: SnapshotCursor;
  /** What the portion these rows are of ends with: a place inside it is `{ seen, upto, after: row.id }`. */
  readonly upto: Snapshot;
  /** Nothing more was there to be seen. */
  readonly isEnd: boolean;
  /** The restore epoch of the installation. */
  readonly epoch: number;
}

interface Meta {
  readonly upto: string;
  readonly incarnation: number;
  readonly epoch: number;
  /** The rows are all there are, up to the limit. */
  readonly isExact: boolean;
  readonly newest: number | null;
}

/** A row of the journal as PostgreSQL answers it. */
export interface StoredRow extends Record<string, unknown> {
  id: number;
  time: string;
  entity_id: string;
  user_id: string | null;
  version: number | null;
  key: string;
  type: string;
  event_id: string;
  request_id: string | null;
  traceparent: string | null;
  data: string | null;
}

const windowStart = 20_000;
const windowGrowth = 16;
/** The newest id that any reader here has heard of. */
let newest = 1;

/**
 * The next rows of a reader, in one statement and so in one snapshot. Per user they come in version order, none is
 * passed over and none comes twice, whatever commits late (docs/architecture.md).
 *
 * Who is nearly at the end asks the short way, which is prepared: 0.4 ms instead of 4. A generic plan made while the
 * journal was small would scan all of it for ever after, so it is made anew whenever the journal has become four times as
 * long; and the long way has no name on purpose: it is planned with the sizes and numbers of now.
 */
export async function readPortion(database: Database, query: PortionQuery): Promise<Portion> {
  const { cursor, filter } = query;
  const upto = cursor.upto ?? boundOf(query);
  const ask = async (statement: { name?: string; text: string }, window: number): Promise<Portion | null> => {
    const found = await database.query<StoredRow>({
      ...statement,
      values: [
        upto === null ? null : snapshotText(upto),
        String(cursor.seen?.xmax ?? 0),
        (cursor.seen?.running ?? []).map(String),
        cursor.after,
        query.limit,
        window,
        query.types ?? null,
        filterValue(filter),
      ],
    });
    const [first, ...rows] = found;
    const meta = JSON.parse(first?.data ?? 'null') as Meta | null;
    if (meta === null) throw new Error('the journal answered without saying what it saw');
    newest = Math.max(newest, meta.newest ?? 1);
    return meta.isExact ? portionOf(query, meta, rows) : null;
  };
  if (cursor.seen !== null && cursor.upto === null && query.window === undefined) {
    const kinds = [filter === null ? 'all' : Object.keys(filter)[0], cursor.seen.running.length > 0, upto !== null];
    const name = `journal-tail-${kinds.join('-')}-${Math.floor(Math.log2(newest) / 2)}`;
    const tail = await ask({ name, text: tailSql(query, upto !== null) }, tailMax + 1);
    if (tail !== null) return tail;
  }
  const text = portionSql(query, upto !== null);
  for (let window = query.window ?? windowStart; ; window *= windowGrowth) {
    const portion = await ask({ text }, window);
    if (portion !== null) return portion;
  }
}

/**
 * Null: the portion ends at what is seen now. A bound that saw less than the reader has (of another one that is still inside
 * an older portion) is none: with it the reader would go back, and tell again what it has told.
 */
function boundOf({ cursor, upto }: PortionQuery): Snapshot | null {
  if (upto === undefined || (cursor.seen !== null && !sawAsMuch(upto, cursor.seen))) return null;
  return upto;
}

function portionOf(query: PortionQuery, meta: Meta, rows: readonly StoredRow[]): Portion {
  const { cursor, limit } = query;
  const upto = parseSnapshot(meta.upto);
  const { incarnation } = meta;
  const isFull = rows.length >= limit;
  const reached = isFull ? (rows.at(-1)?.id ?? 0) : reachOf(query);
  const isEnd = !isFull && reached >= (meta.newest ?? 0);
  return {
    rows: rows.filter((row) => row.data !== null).map(journalRowOf),
    next: isEnd ? { seen: upto, upto: null, after: 0, incarnation } : { ...cursor, upto, after: reached, incarnation },
    upto,
    isEnd,
    epoch: meta.epoch,
  };
}

export function journalRowOf(row: StoredRow): JournalRow {
  return {
    id: row.id,
    time: row.time,
    entityId: row.entity_id,
    userId: row.user_id,
    version: row.version,
    key: row.key,
    type: row.type,
    eventId: row.event_id,
    requestId: row.request_id,
    traceparent: row.traceparent,
    data: row.data ?? '',
  };
}
