import { setTimeout as delay } from 'node:timers/promises';
import { Alarm } from './alarm.js';
import type { Database } from './database.js';
import { isUnavailable } from './database-faults.js';
import { decodeCursor, parseSnapshot, snapshotText } from './journal-cursor.js';
import type { FeedPage, FeedQuery } from './journal-feed.js';
import { readFeed } from './journal-feed.js';

interface Waiting {
  /** What the reader has seen; null: it does not know. */
  readonly seen: string | null;
  readonly wake: () => void;
}

/** A bell is only a hint: so often is looked without one. */
const lookEveryMs = 500;
/** However often it rings. */
const lookAtMostEveryMs = 50;

/**
 * Tells the waiting readers of one process that some transaction has ended since they looked: one small question when the
 * journal's bell has rung, however many they are, and none while nobody waits. Hears the bell from the first reader on,
 * until `signal` fires.
 */
export class JournalPulse {
  private waiting: Waiting[] = [];
  private isAsking = false;
  private isHearing = false;
  private readonly alarm = new Alarm();

  constructor(
    private readonly database: Database,
    private readonly signal: AbortSignal,
  ) {}

  /** Resolves when there may be more than `cursor` has seen, or when `signal` fires. */
  next(cursor: string, signal: AbortSignal): Promise<void> {
    const seen = decodeCursor(cursor)?.seen ?? null;
    return new Promise((resolve) => {
      if (signal.aborted) return resolve();
      const waiting = {
        seen: seen === null ? null : snapshotText(seen),
        wake: () => {
          signal.removeEventListener('abort', giveUp);
          resolve();
        },
      };
      const giveUp = (): void => {
        this.waiting = this.waiting.filter((other) => other !== waiting);
        resolve();
      };
      signal.addEventListener('abort', giveUp, { once: true });
      this.waiting.push(waiting);
      this.hear();
      if (!this.isAsking) void this.ask();
    });
  }

  private hear(): void {
    if (this.isHearing) return;
    this.isHearing = true;
    void this.database.hearJournal({ onRing: () => this.alarm.ring(), signal: this.signal });
  }

  private async ask(): Promise<void> {
    this.isAsking = true;
    while (this.waiting.length > 0) {
      await this.alarm.rest(lookEveryMs, this.signal);
      const snapshot = await this.snapshot();
      const woken = this.waiting.filter(({ seen }) => snapshot === null || seen !== snapshot);
      this.waiting = this.waiting.filter((one) => !woken.includes(one));
      for (const { wake } of woken) wake();
      await delay(lookAtMostEveryMs);
    }
    this.isAsking = false;
  }

  /** Null: it cannot be asked; whoever waits finds out why. */
  private async snapshot(): Promise<string | null> {
    try {
      const rows = await this.database.query<{ snapshot: string }>({
        name: 'journal-pulse',
        text: 'SELECT pg_current_snapshot()::text AS snapshot',
      });
      return rows[0] === undefined ? null : snapshotText(parseSnapshot(rows[0].snapshot));
    } catch {
      return null;
    }
  }
}

/**
 * The feed as it grows, page by page and without end, until `signal` fires. It waits while the database is away. `after`
 * must be a cursor (`decodeCursor`) or null.
 */
export async function* followFeed(
  database: Database,
  query: FeedQuery,
  pulse: JournalPulse,
  signal: AbortSignal,
): AsyncGenerator<FeedPage, void> {
  let after = query.after;
  while (!signal.aborted) {
    const page = await pageOrNull(database, { ...query, after });
    if (page !== null) {
      after = page.nextCursor;
      if (page.items.length > 0) yield page;
    }
    if (page === null || page.isEnd) await pulse.next(page?.nextCursor ?? '', signal);
  }
}

async function pageOrNull(database: Database, query: FeedQuery): Promise<FeedPage | null> {
  try {
    return await readFeed(database, query);
  } catch (error) {
    if (!isUnavailable(error)) throw error;
    return null;
  }
}
