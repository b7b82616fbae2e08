import { setTimeout as delay } from 'node:timers/promises';
import type { Database } from './database.js';
import { entriesSql } from './doctor-entries.js';
import { identitiesSql, unionKeysSql } from './doctor-owners.js';
import { usersSql } from './doctor-users.js';

export type Invariant = 'G1' | 'G2' | 'G3' | 'G4' | 'G5' | 'G6' | 'G7' | 'G10';

/** One thing that must never be. */
export interface Violation {
  readonly rule: Invariant;
  readonly what: string;
  /** Users, identities, keys or entries concerned; the first is the one that is wrong. */
  readonly ids: readonly string[];
}

export interface Examined {
  readonly walk: string;
  /** Rows looked at in this walk so far. */
  readonly rows: number;
  readonly violations: readonly Violation[];
}

interface Walk {
  readonly name: string;
  /** Of `$1` (the last key, as texts) and `$2` (rows): one row { last, rows, violations }. */
  readonly sql: string;
  readonly start: readonly string[];
}

const pageRows = 500;

const walks: readonly Walk[] = [
  { name: 'users', sql: usersSql, start: ['00000000-0000-0000-0000-000000000000'] },
  { name: 'identities', sql: identitiesSql, start: ['', ''] },
  { name: 'union keys', sql: unionKeysSql, start: ['', '', ''] },
  { name: 'journal', sql: entriesSql, start: ['0'] },
];

/**
 * Looks whether what must always hold (G1–G7, G10) does, in pages by key with a pause between them. Each page is one
 * read-only statement and so one moment: a change is in all of its tables or in none, and traffic gives no false alarm.
 */
export async function* examine(database: Database, pauseMs: number): AsyncGenerator<Examined, void> {
  for (const { name, sql, start } of walks) {
    let last = start;
    for (let rows = 0; ;) {
      const [page] = await database.query<{ last: string[] | null; rows: number; violations: Violation[] }>({
        text: sql,
        values: [last, pageRows],
      });
      if (page === undefined || page.last === null) break;
      rows += page.rows;
      yield { walk: name, rows, violations: page.violations };
      if (page.rows < pageRows) break;
      last = page.last;
      await delay(pauseMs);
    }
  }
}

/** A wish for the state of a user, as it was read: asked for once more it is another one. */
export interface RequestedState {
  readonly userId: string;
  readonly request: string;
}

/**
 * Asks the relay to tell the state of these users once more. Also of one who was asked for already: what the relay sends
 * just now may be older than what is wrong.
 */
export async function requestStates(database: Database, userIds: readonly string[]): Promise<void> {
  await database.query({
    text: `INSERT INTO state_repair (user_id, shard)
      SELECT id, ('x' || right(id::text, 1))::bit(4)::int FROM unnest($1::uuid[]) id ORDER BY id
      ON CONFLICT (user_id) DO UPDATE SET requested_at = excluded.requested_at`,
    values: [userIds],
  });
}

export async function readRequestedStates(
  database: Database,
  shards: readonly number[],
  limit: number,
): Promise<{ readonly requested: readonly RequestedState[]; readonly epoch: number }> {
  const rows = await database.query<{ user_id: string; request: string; epoch: number }>({
    name: 'state-repair',
    text: `SELECT user_id, xmin::text AS request, (SELECT epoch FROM installation) AS epoch
      FROM state_repair WHERE shard = ANY ($1::smallint[]) LIMIT $2`,
    values: [shards, limit],
  });
  const requested = rows.map(({ user_id: userId, request }) => ({ userId, request }));
  return { requested, epoch: rows[0]?.epoch ?? 1 };
}

/** Who was asked for again meanwhile is told again. */
export async function settleStates(database: Database, requested: readonly RequestedState[]): Promise<void> {
  await database.query({
    text: `DELETE FROM state_repair WHERE user_id IN (
      SELECT s.user_id FROM state_repair s JOIN unnest($1::uuid[], $2::text[]) q (user_id, request)
        ON q.user_id = s.user_id AND q.request = s.xmin::text ORDER BY s.user_id FOR UPDATE OF s)`,
    values: [requested.map(({ userId }) => userId), requested.map(({ request }) => request)],
  });
}
