import { Injectable } from '@nestjs/common';
import type { Transaction } from '#store';
import { Database, recordDeed } from '#store';
import type { Author } from '../access/deeds.js';
import { Refusal } from '../problem.js';

export type AcknowledgedKind = 'merge' | 'revert' | 'erasure';

export interface ParticipantSettings {
  readonly acknowledges: readonly ('merge' | 'erasure')[];
  readonly consents: readonly 'merge'[];
  readonly answerWithinSeconds: number | undefined;
  readonly overdueAfterSeconds: number | undefined;
}

export interface ParticipantView {
  readonly name: string;
  readonly entityId: string;
  readonly acknowledges: readonly ('merge' | 'erasure')[];
  readonly consents: readonly 'merge'[];
  readonly answerWithinSeconds: number;
  readonly overdueAfterSeconds: number;
  readonly createdAt: Date;
}

export interface AcknowledgementView {
  readonly participant: string;
  readonly kind: AcknowledgedKind;
  readonly status: 'pending' | 'overdue' | 'done' | 'failed';
  readonly detail: string | null;
  readonly answeredAt: Date | null;
  readonly expected: boolean;
  /** It is missing past its time. */
  readonly overdue: boolean;
}

/**
 * Who has to confirm it, taken down when it happens: a participant registered later is not asked for the past. What somebody
 * said of it before it happened was about nothing, and is asked again.
 */
export async function expectAcknowledgements(
  transaction: Transaction,
  entityId: string,
  kind: AcknowledgedKind,
  subjectId: string,
  at: string,
): Promise<void> {
  await transaction.query({
    name: 'expect-acknowledgements',
    text: `INSERT INTO acknowledgement (kind, subject_id, participant, expected, overdue_at)
      SELECT $2, $3, name, true, $4::timestamptz + make_interval(secs => overdue_after_seconds)
      FROM participant WHERE entity_id = $1 AND $5 = ANY (acknowledges)
      ON CONFLICT (subject_id, kind, participant) DO UPDATE SET expected = true, overdue_at = excluded.overdue_at,
        status = NULL, detail = NULL, answered_at = NULL`,
    values: [entityId, kind, subjectId, at, kind === 'erasure' ? 'erasure' : 'merge'],
  });
}

/** Consumers that must confirm merges and erasures, and what they have answered. */
@Injectable()
export class Participants {
  constructor(private readonly database: Database) {}

  async put(
    entityId: string,
    name: string,
    settings: ParticipantSettings,
    by: Author,
  ): Promise<{ created: boolean; value: ParticipantView }> {
    const entity = await this.database.prisma.entity.findUnique({ where: { id: entityId } });
    if (entity === null) throw new Refusal('entity_not_found', 'no such entity');
    return this.database.transaction((transaction) => putParticipant(transaction, { entityId, name, settings, by }));
  }

  /** Late, repeated, forged and unknown answers are recorded and change nothing; the first answer counts. */
  async acknowledge(answer: {
    readonly kind: AcknowledgedKind;
    readonly subjectId: string;
    readonly participant: string;
    readonly status: 'done' | 'failed';
    readonly detail: string | null;
  }): Promise<void> {
    await this.database.query({
      text: `INSERT INTO acknowledgement (kind, subject_id, participant, expected, status, detail, answered_at)
        VALUES ($1, $2, $3, false, $4, $5, clock_timestamp())
        ON CONFLICT (subject_id, kind, participant) DO UPDATE
          SET status = excluded.status, detail = excluded.detail, answered_at = excluded.answered_at
          WHERE acknowledgement.status IS DISTINCT FROM 'done'`,
      values: [answer.kind, answer.subjectId, answer.participant, answer.status, answer.detail],
    });
  }

  /**
   * An answer by REST names only the merge: it is about the merge until that is answered, and about its undoing after.
   */
  async acknowledgeMerge(
    mergeId: string,
    answer: { readonly participant: string; readonly status: 'done' | 'failed'; readonly detail: string | null },
  ): Promise<void> {
    const expected = (await this.of(mergeId)).filter(({ participant }) => participant === answer.participant);
    const isAbout = (kind: AcknowledgedKind): boolean =>
      expected.some((one) => one.kind === kind && one.expected && one.status !== 'done');
    const kind = !isAbout('merge') && isAbout('revert') ? 'revert' : 'merge';
    await this.acknowledge({ kind, subjectId: mergeId, ...answer });
  }

  async of(subjectId: string): Promise<AcknowledgementView[]> {
    const rows = await this.database.query<{
      participant: string;
      kind: AcknowledgedKind;
      status: 'done' | 'failed' | null;
      overdue: boolean;
      detail: string | null;
      answered_at: Date | null;
      expected: boolean;
    }>({
      text: `SELECT participant, kind, status, coalesce(overdue_at <= clock_timestamp(), false) AS overdue, detail, answered_at, expected
        FROM acknowledgement WHERE subject_id = $1 ORDER BY kind, participant`,
      values: [subjectId],
    });
    return rows.map((row) => ({
      participant: row.participant,
      kind: row.kind,
      status: row.status ?? (row.overdue ? 'overdue' : 'pending'),
      detail: row.detail,
      answeredAt: row.answered_at,
      expected: row.expected,
      overdue: row.status === null && row.overdue,
    }));
  }
}

async function putParticipant(
  transaction: Transaction,
  request: {
    readonly entityId: string;
    readonly name: string;
    readonly settings: ParticipantSettings;
    readonly by: Author;
  },
): Promise<{ created: boolean; value: ParticipantView }> {
  const { entityId, name, settings, by } = request;
  const [row] = await transaction.query<ParticipantView & Record<string, unknown> & { created: boolean }>({
    text: `INSERT INTO participant (entity_id, name, acknowledges, consents, answer_within_seconds, overdue_after_seconds)
      VALUES ($1, $2, $3, $4, coalesce($5, 86400), coalesce($6, 86400))
      ON CONFLICT (entity_id, name) DO UPDATE SET acknowledges = excluded.acknowledges, consents = excluded.consents,
        answer_within_seconds = coalesce($5, participant.answer_within_seconds),
        overdue_after_seconds = coalesce($6, participant.overdue_after_seconds), updated_at = clock_timestamp()
      RETURNING name, entity_id AS "entityId", acknowledges, consents, answer_within_seconds AS "answerWithinSeconds",
        overdue_after_seconds AS "overdueAfterSeconds", created_at AS "createdAt", (xmax = 0) AS created`,
    values: [
      entityId,
      name,
      settings.acknowledges,
      settings.consents,
      settings.answerWithinSeconds ?? null,
      settings.overdueAfterSeconds ?? null,
    ],
  });
  if (row === undefined) throw new Error('an upsert answers its row');
  const { created, ...value } = row;
  const deed = {
    entityId,
    subject: name,
    action: `participant.${created ? 'registered' : 'changed'}`,
    details: settings,
  };
  await recordDeed(transaction, { ...by, ...deed });
  return { created, value };
}
