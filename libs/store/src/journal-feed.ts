import type { Database } from './database.js';
import type { JournalRow, Portion } from './journal.js';
import { readPortion } from './journal.js';
import type { SnapshotCursor } from './journal-cursor.js';
import { decodeCursor, encodeCursor, journalStart } from './journal-cursor.js';
import { lastIdBefore } from './journal-time.js';

export interface FeedQuery {
  /** Null: of every entity (the operator). */
  readonly entityId: string | null;
  /** A cursor this feed gave out; null: from the oldest event inside the retention. */
  readonly after: string | null;
  readonly types?: readonly string[] | undefined;
  readonly limit: number;
  readonly retentionDays: number;
}

export interface FeedItem {
  readonly row: JournalRow;
  /** The place right behind this row: the `id` of a server-sent event. */
  readonly cursor: string;
}

export interface FeedPage {
  readonly items: readonly FeedItem[];
  /** Where to go on, also when nothing is left for now. */
  readonly nextCursor: string;
  readonly isEnd: boolean;
  /** The restore epoch of the installation. */
  readonly epoch: number;
}

/** Rows looked at in one statement when most may be of other types, and how many such statements a page may cost. */
const scanRows = 1000;
const scansMax = 20;
/** Also covers how much earlier than its id a row may have been stamped. */
const rewindMs = 10 * 60_000;
const dayMs = 24 * 3_600_000;

/** A page of the feed. Null: `after` is not a cursor. */
export async function readFeed(database: Database, query: FeedQuery): Promise<FeedPage | null> {
  const given = query.after === null ? await startOf(database, query.retentionDays) : decodeCursor(query.after);
  if (given === null) return null;
  const filter = query.entityId === null ? null : { entityId: query.entityId };
  const perScan = query.types === undefined ? query.limit : scanRows;
  let cursor = given;
  const items: FeedItem[] = [];
  for (let scan = 1; ; scan += 1) {
    const portion = await readPortion(database, { cursor, filter, types: query.types, limit: perScan });
    if (cursor.incarnation !== 0 && cursor.incarnation !== portion.next.incarnation) {
      cursor = await rewind(database, cursor, portion.next.incarnation);
      items.length = 0;
      continue;
    }
    const wanted = portion.rows.slice(0, query.limit - items.length);
    for (const row of wanted) items.push({ row, cursor: cursorBehind(cursor, portion, row) });
    const isCut = wanted.length < portion.rows.length;
    const isLast = isCut || items.length === query.limit || portion.isEnd || scan >= scansMax;
    cursor = portion.next;
    if (!isLast) continue;
    const behindLast = items.at(-1)?.cursor;
    const nextCursor = isCut && behindLast !== undefined ? behindLast : encodeCursor(cursor);
    return { items, nextCursor, isEnd: portion.isEnd && !isCut, epoch: portion.epoch };
  }
}

function cursorBehind(cursor: SnapshotCursor, { upto, next }: Portion, row: JournalRow): string {
  return encodeCursor({ seen: cursor.seen, upto, after: row.id, incarnation: next.incarnation });
}

async function startOf(database: Database, retentionDays: number): Promise<SnapshotCursor> {
  const oldestMs = Date.now() - retentionDays * dayMs - rewindMs;
  return { ...journalStart, after: await lastIdBefore(database, oldestMs) };
}

/**
 * PostgreSQL was restarted since the cursor was given out. If it crashed, transaction numbers that the cursor holds for
 * seen may have been given out again, after the crash; so everything stamped since ten minutes before it comes (again),
 * and with it whatever the cursor had not reached.
 */
async function rewind(database: Database, cursor: SnapshotCursor, incarnation: number): Promise<SnapshotCursor> {
  const stale = await lastIdBefore(database, incarnation / 1000 - rewindMs);
  let after = stale;
  const unread = [cursor, { seen: cursor.upto ?? cursor.seen, upto: null, after: 0, incarnation: 0 }];
  for (const place of unread) after = Math.min(after, (await firstBehind(database, place)) - 1);
  return { ...journalStart, after, incarnation };
}

/** The id of the first row behind a place. */
async function firstBehind(database: Database, place: SnapshotCursor): Promise<number> {
  for (let cursor = place; ;) {
    const { rows, isEnd, next } = await readPortion(database, { cursor, filter: null, limit: 1 });
    const [first] = rows;
    if (first !== undefined) return first.id;
    if (isEnd) return Number.MAX_SAFE_INTEGER;
    cursor = next;
  }
}
