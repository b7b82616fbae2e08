import type { Database } from './database.js';

/** Rows of one statement: a sweep must not hold what WeChat waits for. */
const pushesMax = 5_000;
/** Jobs of one statement; each may have as many errors as lines. */
const jobsMax = 100;

/** Forgets that pushes came. A repeat that WeChat may still send must find the first; answers how many went. */
export async function sweepPushes(
  database: Database,
  days: { readonly done: number; readonly parked: number },
): Promise<number> {
  const rows = await database.query({
    text: `DELETE FROM push WHERE id IN (SELECT id FROM push
        WHERE received_at < clock_timestamp() - make_interval(days => CASE status WHEN 'done' THEN $1::int ELSE $2::int END)
          AND received_at < clock_timestamp() - make_interval(days => least($1::int, $2::int)) AND status <> 'waiting'
        ORDER BY received_at LIMIT ${pushesMax}) RETURNING 1`,
    values: [days.done, days.parked],
  });
  return rows.length;
}

/** Forgets jobs that ended so long ago, and their errors. That a re-key table was applied stays known. */
export async function sweepImports(database: Database, days: number): Promise<number> {
  const rows = await database.query({
    text: `WITH gone AS (DELETE FROM import_job WHERE id IN (SELECT id FROM import_job
          WHERE ended_at < clock_timestamp() - make_interval(days => $1) ORDER BY ended_at LIMIT ${jobsMax}) RETURNING id),
        errors AS (DELETE FROM import_error WHERE job_id IN (SELECT id FROM gone))
      SELECT FROM gone`,
    values: [days],
  });
  return rows.length;
}
