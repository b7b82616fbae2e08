import type { Database, Transaction } from './database.js';

/** A merge as it was requested. */
export interface MergeRow {
  readonly id: string;
  readonly entityId: string;
  readonly status: string;
  readonly sourceUserId: string;
  readonly targetUserId: string;
  readonly sourceVersion: number | null;
  readonly targetVersion: number | null;
  readonly requestedBy: string;
  readonly requestedAt: Date;
  readonly reason: string | null;
  readonly allowDifferent: boolean;
  readonly evidence: object | null;
}

const mergeColumns = `id, entity_id AS "entityId", status, source_user_id AS "sourceUserId", target_user_id AS "targetUserId",
  source_version AS "sourceVersion", target_version AS "targetVersion", requested_by AS "requestedBy",
  requested_at AS "requestedAt", reason, allow_different AS "allowDifferent", evidence`;

export interface AskedRow {
  readonly participant: string;
  readonly deadlineAt: Date;
  readonly answer: 'accept' | 'refuse' | null;
}

export interface LockedCase {
  readonly merge: MergeRow;
  /** Null: requested for approval alone. */
  readonly needsApproval: boolean | null;
  readonly approvedBy: string | null;
  readonly asked: readonly AskedRow[];
  /** The database's clock, read when the lock was held. */
  readonly now: Date;
}

export async function findMerge(
  database: Database,
  mergeId: string,
  entityId: string | null,
): Promise<MergeRow | null> {
  const [row] = await database.query<MergeRow & Record<string, unknown>>({
    name: 'find-merge',
    text: `SELECT ${mergeColumns} FROM merge WHERE id = $1 AND ($2::text IS NULL OR entity_id = $2)`,
    values: [mergeId, entityId],
  });
  return row ?? null;
}

/** After the locks of its two users, as in every change of a merge. */
export async function lockMergeCase(transaction: Transaction, mergeId: string): Promise<LockedCase> {
  const [merge] = await transaction.query<MergeRow & Record<string, unknown>>({
    name: 'lock-merge',
    text: `SELECT ${mergeColumns} FROM merge WHERE id = $1 FOR UPDATE`,
    values: [mergeId],
  });
  if (merge === undefined) throw new Error('a merge is never forgotten');
  // A statement of its own: one that waited for the lock would read the clock, and the answers, from before the wait.
  const [row] = await transaction.query<{ needs: boolean | null; by: string | null; now: Date }>({
    name: 'read-merge-case',
    text: `SELECT c.needs_approval AS needs, c.approved_by AS by, clock_timestamp() AS now
      FROM (SELECT 1) one LEFT JOIN merge_case c ON c.merge_id = $1`,
    values: [mergeId],
  });
  if (row === undefined) throw new Error('a left join answers a row');
  const asked = await transaction.query<AskedRow & Record<string, unknown>>({
    name: 'read-asked',
    text: `SELECT participant, deadline_at AS "deadlineAt", answer FROM consent WHERE merge_id = $1 ORDER BY participant`,
    values: [mergeId],
  });
  return { merge, needsApproval: row.needs, approvedBy: row.by, asked, now: row.now };
}

/** Participants of the entity that are asked before a merge by hand commits. */
export function readConsenting(
  at: Database | Transaction,
  entityId: string,
): Promise<{ readonly name: string; readonly answerWithinSeconds: number }[]> {
  return at.query({
    name: 'read-consenting',
    text: `SELECT name, answer_within_seconds AS "answerWithinSeconds" FROM participant
      WHERE entity_id = $1 AND 'merge' = ANY (consents) ORDER BY name`,
    values: [entityId],
  });
}

export async function openMergeCase(
  transaction: Transaction,
  opened: {
    readonly mergeId: string;
    readonly needsApproval: boolean;
    readonly asked: readonly { readonly participant: string; readonly deadlineMs: number }[];
  },
): Promise<void> {
  const { mergeId, needsApproval, asked } = opened;
  await transaction.query({
    name: 'open-merge-case',
    text: `WITH asked AS (
        INSERT INTO consent (merge_id, participant, deadline_at)
        SELECT $1, name, to_timestamp(deadline / 1000.0) FROM unnest($3::text[], $4::bigint[]) q(name, deadline)
        RETURNING deadline_at)
      INSERT INTO merge_case (merge_id, needs_approval, due_at) SELECT $1, $2, min(deadline_at) FROM asked`,
    values: [mergeId, needsApproval, asked.map((one) => one.participant), asked.map((one) => one.deadlineMs)],
  });
}

/** Where the case stands now. The status `merged` is not written here but with the merge itself. */
export async function saveMergeCase(
  transaction: Transaction,
  saved: {
    readonly mergeId: string;
    readonly status: string;
    readonly approvedBy: string | null;
    readonly dueMs: number | null;
    /** Null: it is not decided yet. */
    readonly decided: { readonly at: Date; readonly by: string; readonly reason: string | null } | null;
  },
): Promise<void> {
  const { mergeId, status, approvedBy, dueMs, decided } = saved;
  await transaction.query({
    name: 'save-merge-case',
    text: `INSERT INTO merge_case (merge_id, needs_approval, approved_by, due_at, decided_at, decision_reason)
      VALUES ($1, true, $2, to_timestamp($3::bigint / 1000.0), $4, $5)
      ON CONFLICT (merge_id) DO UPDATE SET approved_by = excluded.approved_by, due_at = excluded.due_at,
        decided_at = excluded.decided_at, decision_reason = excluded.decision_reason`,
    values: [mergeId, approvedBy, dueMs, decided?.at ?? null, decided?.reason ?? null],
  });
  if (status === 'merged') return;
  await transaction.query({
    name: 'save-merge-status',
    text: 'UPDATE merge SET status = $2, decided_by = $3 WHERE id = $1',
    values: [mergeId, status, decided?.by ?? null],
  });
}

/** Merges of which an answer is missing past its deadline. */
export async function readDueCases(database: Database, limit: number): Promise<string[]> {
  const rows = await database.query<{ merge_id: string }>({
    name: 'read-due-cases',
    text: 'SELECT merge_id FROM merge_case WHERE due_at <= clock_timestamp() ORDER BY due_at LIMIT $1',
    values: [limit],
  });
  return rows.map((row) => row.merge_id);
}
