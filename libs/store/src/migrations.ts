import type { Database } from './database.js';

/** Names of the migrations that were applied and not rolled back, in order; empty on an empty database. */
export async function appliedMigrations(database: Database): Promise<string[]> {
  const [exists] = await database.query<{ found: boolean }>({
    text: `SELECT to_regclass('_prisma_migrations') IS NOT NULL AS found`,
  });
  if (exists?.found !== true) return [];
  const rows = await database.query<{ migration_name: string }>({
    text: `SELECT migration_name FROM _prisma_migrations
      WHERE finished_at IS NOT NULL AND rolled_back_at IS NULL ORDER BY migration_name`,
  });
  return rows.map((row) => row.migration_name);
}
