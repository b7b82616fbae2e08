import type { Database } from './database.js';
import type { Snapshot, SnapshotCursor } from './journal-cursor.js';
import { parseSnapshot, sawAsMuch, snapshotText } from './journal-cursor.js';
import type { PortionQuery } from './journal-sql.js';
import { filterValue, portionSql, probeSql } from './journal-sql.js';

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
  readonly isFloorExact: boolean;
}

interface Row extends Record<string, unknown> {
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

/**
 * The next rows of a reader, in one statement and so in one snapshot. Per user they come in version order, none is
 * passed over and none comes twice, whatever commits late (docs/architecture.md).
 *
 * The statement has no name on purpose: it is planned with the sizes and numbers of now (0.3 ms). A generic plan made
 * while the journal was small would scan all of it for ever after.
 */
export async function readPortion(database: Database, query: PortionQuery): Promise<Portion> {
  const { cursor, limit } = query;
  const bound = boundOf(query);
  const upto = cursor.upto ?? bound;
  const idle = await probe(database, cursor, bound);
  if (idle !== null) return idle;
  for (let window = query.window ?? windowStart; ; window *= windowGrowth) {
    const found = await database.query<Row>({
      text: portionSql(query, upto !== null),
      values: [
        upto === null ? null : snapshotText(upto),
        String(cursor.seen?.xmax ?? 0),
        (cursor.seen?.running ?? []).map(String),
        cursor.after,
        limit,
        window,
        query.types ?? null,
        filterValue(query.filter),
      ],
    });
    const [first, ...rows] = found;
    const meta = JSON.parse(first?.data ?? 'null') as Meta | null;
    if (meta === null) throw new Error('the journal answered without saying what it saw');
    if (meta.isFloorExact) return portionOf(query, meta, rows);
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

/** What an idle reader asks, ten times a second: 0.06 ms. Null: there may be something to read. */
async function probe(database: Database, cursor: SnapshotCursor, upto: Snapshot | null): Promise<Portion | null> {
  const { seen } = cursor;
  if (seen === null || cursor.upto !== null) return null;
  const rows = await database.query<{ snapshot: string; newest: string | null; incarnation: number; epoch: number }>({
    name: 'journal-probe',
    text: probeSql,
    values: [seen.running.map(String)],
  });
  const [found] = rows;
  if (found === undefined || (found.newest !== null && BigInt(found.newest) >= seen.xmax)) return null;
  const { incarnation, epoch, snapshot } = found;
  const end = upto ?? parseSnapshot(snapshot);
  return { rows: [], next: { seen: end, upto: null, after: 0, incarnation }, upto: end, isEnd: true, epoch };
}

function portionOf({ cursor, limit }: PortionQuery, meta: Meta, rows: readonly Row[]): Portion {
  const upto = parseSnapshot(meta.upto);
  const { incarnation } = meta;
  const last = rows.at(-1);
  const isEnd = rows.length < limit || last === undefined;
  return {
    rows: rows.filter((row) => row.data !== null).map(rowOf),
    next: isEnd ? { seen: upto, upto: null, after: 0, incarnation } : { ...cursor, upto, after: last.id, incarnation },
    upto,
    isEnd,
    epoch: meta.epoch,
  };
}

function rowOf(row: Row): JournalRow {
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
