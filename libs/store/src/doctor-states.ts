import type { Database } from './database.js';
import { decodeCursor, journalStart, snapshotText } from './journal-cursor.js';

/** Up to where one shard of the journal is published for certain. */
export interface PublishedPlace {
  readonly shard: number;
  readonly seen: string | null;
  readonly upto: string | null;
  readonly after: number;
}

export interface StepRef {
  readonly userId: string;
  readonly version: number;
}

/** Read before a topic is: what is published by then must be found in it. */
export async function readPublishedPlaces(database: Database): Promise<PublishedPlace[]> {
  const rows = await database.query<{ shard: number; cursor: string | null }>({
    text: 'SELECT shard, cursor FROM relay_shard ORDER BY shard',
  });
  return rows.map(({ shard, cursor }) => {
    const { seen, upto, after } = (cursor === null ? null : decodeCursor(cursor)) ?? journalStart;
    return {
      shard,
      seen: seen === null ? null : snapshotText(seen),
      upto: upto === null ? null : snapshotText(upto),
      after,
    };
  });
}

/** Those of the steps that were published when the places were read. */
export async function pickPublished(
  database: Database,
  places: readonly PublishedPlace[],
  steps: readonly StepRef[],
): Promise<Set<string>> {
  const rows = await database.query<{ user_id: string }>({
    text: `SELECT j.user_id FROM unnest($1::uuid[], $2::bigint[]) q (user_id, version)
      CROSS JOIN LATERAL (SELECT * FROM journal WHERE journal.user_id = q.user_id AND journal.version = q.version LIMIT 1) j
      JOIN unnest($3::smallint[], $4::text[], $5::text[], $6::bigint[]) p (shard, seen, upto, after) ON p.shard = j.shard
      WHERE coalesce(pg_visible_in_snapshot(j.xid, p.seen::pg_snapshot), false)
        OR (j.id <= p.after AND coalesce(pg_visible_in_snapshot(j.xid, p.upto::pg_snapshot), false))`,
    values: [
      steps.map(({ userId }) => userId),
      steps.map(({ version }) => version),
      places.map(({ shard }) => shard),
      places.map(({ seen }) => seen),
      places.map(({ upto }) => upto),
      places.map(({ after }) => after),
    ],
  });
  return new Set(rows.map((row) => row.user_id));
}

export async function readIdsOfUsers(database: Database, after: string, limit: number): Promise<string[]> {
  const rows = await database.query<{ id: string }>({
    text: 'SELECT id FROM users WHERE id > $1 ORDER BY id LIMIT $2',
    values: [after, limit],
  });
  return rows.map(({ id }) => id);
}
