import type { Database, Transaction } from './database.js';

export interface OverdueAcknowledgement {
  readonly kind: 'merge' | 'revert' | 'erasure';
  readonly subjectId: string;
  readonly participant: string;
  readonly overdueAt: Date;
  readonly entityId: string;
  /** The survivor of the merge, the erased user, or who is live again after a revert beside its source. */
  readonly userId: string;
}

/** True where somebody has to be told: what an idle look costs. */
export async function hasUntoldOverdue(database: Database): Promise<boolean> {
  const rows = await database.query({
    name: 'has-untold-overdue',
    text: `SELECT 1 FROM acknowledgement
      WHERE status IS NULL AND overdue_told_at IS NULL AND overdue_at <= clock_timestamp() LIMIT 1`,
  });
  return rows.length > 0;
}

/**
 * Marks overdue answers as told, in the transaction of the notices, and answers them: each comes out once, whoever asks.
 */
export function takeUntoldOverdue(transaction: Transaction, limit: number): Promise<OverdueAcknowledgement[]> {
  return transaction.query<OverdueAcknowledgement & Record<string, unknown>>({
    name: 'take-untold-overdue',
    text: `WITH due AS (
        SELECT subject_id, kind, participant FROM acknowledgement
        WHERE status IS NULL AND overdue_told_at IS NULL AND overdue_at <= clock_timestamp()
        ORDER BY overdue_at LIMIT $1 FOR UPDATE SKIP LOCKED
      ), told AS (
        UPDATE acknowledgement a SET overdue_told_at = clock_timestamp() FROM due
        WHERE a.subject_id = due.subject_id AND a.kind = due.kind AND a.participant = due.participant
        RETURNING a.kind, a.subject_id, a.participant, a.overdue_at
      )
      SELECT t.kind, t.subject_id AS "subjectId", t.participant, t.overdue_at AS "overdueAt",
        coalesce(m.entity_id, e.entity_id) AS "entityId", coalesce(m.target_user_id, e.user_id) AS "userId"
      FROM told t LEFT JOIN merge m ON m.id = t.subject_id AND t.kind <> 'erasure'
        LEFT JOIN erasure e ON e.id = t.subject_id AND t.kind = 'erasure'
      WHERE coalesce(m.id, e.id) IS NOT NULL ORDER BY t.overdue_at, t.participant`,
    values: [limit],
  });
}

/** Counted up to here: a participant that was away for a month must not make every look expensive. */
export const overdueCountMax = 10_000;

/** How many answers are missing past their time, up to `overdueCountMax`. */
export async function countOverdue(database: Database): Promise<number> {
  const [row] = await database.query<{ n: number }>({
    name: 'count-overdue',
    text: `SELECT count(*) AS n FROM (SELECT 1 FROM acknowledgement
      WHERE status IS NULL AND overdue_at <= clock_timestamp() LIMIT $1) x`,
    values: [overdueCountMax],
  });
  return row?.n ?? 0;
}
