import { recordDeed } from './admin-audit.js';
import type { Database } from './database.js';

/** Raised after a restore: transaction numbers and versions from before it mean nothing any more. */
export async function readRestoreEpoch(database: Database): Promise<number> {
  const [row] = await database.query<{ epoch: number }>({
    name: 'read-restore-epoch',
    text: 'SELECT epoch FROM installation',
  });
  if (row === undefined) throw new Error('the installation row is missing: run the migrations');
  return row.epoch;
}

/**
 * One more, or `atLeast`. Null, and nothing is done, while a process of ours is connected: it may be telling under the old
 * epoch what only the new one makes newer.
 */
export function raiseEpoch(
  database: Database,
  { atLeast, ...author }: { readonly atLeast: number; readonly actor: string; readonly requestId: string | null },
): Promise<{ readonly from: number; readonly to: number } | null> {
  return database.transaction(async (transaction) => {
    const [before] = await transaction.query<{ epoch: number; others: number }>({
      text: `SELECT epoch, (SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
          AND (application_name = 'unionlink-api' OR application_name LIKE 'unionlink-relay%')) AS others
        FROM installation FOR UPDATE`,
    });
    if (before === undefined) throw new Error('the installation row is missing: run the migrations');
    if (before.others > 0) return null;
    const to = Math.max(before.epoch + 1, atLeast);
    await transaction.query({ text: 'UPDATE installation SET epoch = $1', values: [to] });
    const details = { from: before.epoch, to };
    await recordDeed(transaction, {
      ...author,
      entityId: null,
      action: 'installation.restored',
      subject: 'installation',
      details,
    });
    return details;
  });
}
