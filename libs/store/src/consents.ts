import type { Database, Transaction } from './database.js';

export interface ParticipantAnswer {
  readonly mergeId: string;
  readonly participant: string;
  readonly answer: 'accept' | 'refuse';
  readonly reason: string | null;
}

export async function recordConsent(transaction: Transaction, answer: ParticipantAnswer, at: Date): Promise<void> {
  const { mergeId, participant, answer: word, reason } = answer;
  const rows = await transaction.query({
    name: 'record-consent',
    text: `UPDATE consent SET answer = $3, reason = $4, answered_at = $5
      WHERE merge_id = $1 AND participant = $2 AND answer IS NULL RETURNING 1`,
    values: [mergeId, participant, word, reason, at],
  });
  if (rows.length === 0) throw new Error('an answer counts once');
}

/** One row per answer and why it had no effect, however often it comes: a flood of repeats writes no more. */
export async function recordIgnored(
  at: Database | Transaction,
  answer: ParticipantAnswer,
  why: 'late' | 'repeated' | 'unknown',
): Promise<void> {
  const { mergeId, participant, answer: word, reason } = answer;
  await at.query({
    name: 'record-ignored',
    text: `INSERT INTO ignored_answer (merge_id, participant, answer, why, reason) VALUES ($1, $2, $3, $4, $5)
      ON CONFLICT (merge_id, participant, answer, why) DO UPDATE
        SET count = ignored_answer.count + 1, last_at = clock_timestamp()`,
    values: [mergeId, participant, word, why, reason],
  });
}

export interface ConsentView {
  readonly participant: string;
  /** `not_needed`: the merge was decided before this answer came or was overdue. */
  readonly status: 'pending' | 'accepted' | 'refused' | 'silent' | 'not_needed';
  readonly reason: string | null;
  readonly deadlineAt: Date;
  readonly answeredAt: Date | null;
}

export function readConsents(database: Database, mergeId: string): Promise<ConsentView[]> {
  return database.query<ConsentView & Record<string, unknown>>({
    name: 'read-consents',
    text: `SELECT c.participant, c.reason, c.deadline_at AS "deadlineAt", c.answered_at AS "answeredAt",
        CASE WHEN c.answer = 'accept' THEN 'accepted' WHEN c.answer = 'refuse' THEN 'refused'
          WHEN c.deadline_at <= coalesce(m.decided_at, clock_timestamp()) THEN 'silent'
          WHEN m.decided_at IS NULL THEN 'pending' ELSE 'not_needed' END AS status
      FROM consent c JOIN merge_case m USING (merge_id) WHERE c.merge_id = $1 ORDER BY c.participant`,
    values: [mergeId],
  });
}

export interface IgnoredAnswerView {
  readonly participant: string;
  readonly answer: 'accept' | 'refuse';
  readonly why: 'late' | 'repeated' | 'unknown';
  readonly reason: string | null;
  readonly count: number;
  readonly firstAt: Date;
  readonly lastAt: Date;
}

const ignoredMax = 200;

export function readIgnored(database: Database, mergeId: string): Promise<IgnoredAnswerView[]> {
  return database.query<IgnoredAnswerView & Record<string, unknown>>({
    name: 'read-ignored',
    text: `SELECT participant, answer, why, reason, count, first_at AS "firstAt", last_at AS "lastAt"
      FROM ignored_answer WHERE merge_id = $1 ORDER BY first_at, participant LIMIT $2`,
    values: [mergeId, ignoredMax],
  });
}
