import type { Database } from './database.js';

/**
 * The id of the last row stamped before `timeMs`, by halving: ids and stamps rise together, but for the length of a
 * transaction. An index on the stamp would cost every writer for what is asked once per reader.
 */
export async function lastIdBefore(database: Database, timeMs: number): Promise<number> {
  const rows = await database.query<{ low: number | null }>({
    text: `
      WITH RECURSIVE search (low, high) AS (
        SELECT (SELECT min(id) FROM journal) - 1, (SELECT max(id) FROM journal) + 1
        UNION ALL
        SELECT CASE WHEN found.recorded_at < $1 THEN found.id ELSE low END,
               CASE WHEN found.recorded_at < $1 THEN high ELSE (low + high) / 2 END
        FROM search CROSS JOIN LATERAL (
          SELECT id, recorded_at FROM journal WHERE id >= (low + high) / 2 ORDER BY id LIMIT 1) found
        WHERE high - low > 1
      )
      SELECT max(low) AS low FROM search`,
    values: [new Date(timeMs)],
  });
  return rows[0]?.low ?? 0;
}
