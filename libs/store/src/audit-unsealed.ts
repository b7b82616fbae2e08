import { setTimeout as delay } from 'node:timers/promises';
import { readSealPlace } from './audit-seals.js';
import type { Database } from './database.js';
import { snapshotText } from './journal-cursor.js';

const pageRows = 2_000;

/** The first entry that the sealer has seen and that stands in no seal. Null: there is none. */
export async function findUnsealed(database: Database, entityId: string, pauseMs: number): Promise<number | null> {
  // The place only ever moves on: what it had seen before we look is sealed when we look.
  const { cursor } = await readSealPlace(database);
  const { seen, upto, after } = cursor;
  for (let last = 0; ;) {
    const [page] = await database.query<{ last: number | null; unsealed: number | null; rows: number }>({
      text: `SELECT max(id) AS last, count(*) AS rows, min(id) FILTER (WHERE was_seen AND NOT EXISTS (
          SELECT FROM audit_leaf l JOIN audit_seal s ON s.entity_id = $1 AND s.seq = l.seq
          WHERE l.journal_id = page.id AND s.journal_ids @> ARRAY[page.id])) AS unsealed
        FROM (SELECT id, coalesce(pg_visible_in_snapshot(xid, $3::pg_snapshot), false)
            OR (id <= $5 AND coalesce(pg_visible_in_snapshot(xid, $4::pg_snapshot), false)) AS was_seen
          FROM journal WHERE entity_id = $1 AND id > $2 ORDER BY id LIMIT ${pageRows}) page`,
      values: [
        entityId,
        last,
        seen === null ? null : snapshotText(seen),
        upto === null ? null : snapshotText(upto),
        after,
      ],
    });
    if (page === undefined || page.last === null) return null;
    if (page.unsealed !== null) return page.unsealed;
    if (page.rows < pageRows) return null;
    last = page.last;
    await delay(pauseMs);
  }
}

/** Entities that have something to prove. */
export async function readSealedEntities(database: Database): Promise<string[]> {
  const rows = await database.query<{ id: string }>({
    text: 'SELECT id FROM entity UNION SELECT DISTINCT entity_id FROM audit_seal ORDER BY id',
  });
  return rows.map(({ id }) => id);
}
