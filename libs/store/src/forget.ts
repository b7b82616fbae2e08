import type { Transaction } from './database.js';

/** Everything about a person that must not be found in any table once they are erased. */
export interface Forgotten {
  readonly entityId: string;
  /** The erased user and every id folded into it. */
  readonly userIds: readonly string[];
  /** Their openIds and unionIds. */
  readonly personalTexts: readonly string[];
}

/** Ids folded into this user, at whatever depth. */
export async function readAliases(transaction: Transaction, userId: string): Promise<string[]> {
  const rows = await transaction.query<{ user_id: string }>({
    text: 'SELECT user_id FROM redirect WHERE target_id = $1',
    values: [userId],
  });
  return rows.map((row) => row.user_id);
}

/** Ids that a user held at any time, from its own steps: what it lost since is as personal as what it holds. */
export async function readPersonalTexts(transaction: Transaction, userIds: readonly string[]): Promise<string[]> {
  const rows = await transaction.query<{ id: string | null }>({
    text: `SELECT DISTINCT x ->> 'openId' AS id FROM journal j, json_array_elements(j.data -> 'user' -> 'identities') x
        WHERE j.user_id = ANY ($1) AND j.version IS NOT NULL
      UNION SELECT DISTINCT x ->> 'unionId' FROM journal j, json_array_elements(j.data -> 'user' -> 'unionIds') x
        WHERE j.user_id = ANY ($1) AND j.version IS NOT NULL
      UNION SELECT DISTINCT j.evidence ->> 'unionId' FROM journal j WHERE j.user_id = ANY ($1)`,
    values: [userIds],
  });
  return rows.flatMap((row) => (row.id === null ? [] : [row.id]));
}

/**
 * Takes a person out of the memory, under the user's row lock. Their own steps keep ids, status and version; steps and
 * notices of others keep everything but this person's ids.
 */
export async function forget(transaction: Transaction, person: Forgotten): Promise<void> {
  const { userIds } = person;
  const related = await transaction.query<{ id: string }>({
    text: `SELECT source_user_id AS id FROM merge WHERE target_user_id = ANY ($1)
      UNION SELECT target_user_id FROM merge WHERE source_user_id = ANY ($1)
      UNION SELECT unnest(user_ids) FROM conflict WHERE user_ids && $1
      UNION SELECT (data ->> 'newUserId')::uuid FROM journal WHERE user_id = ANY ($1) AND data ->> 'newUserId' IS NOT NULL
      UNION SELECT (data ->> 'previousUserId')::uuid FROM journal WHERE user_id = ANY ($1) AND data ->> 'previousUserId' IS NOT NULL`,
    values: [userIds],
  });
  await transaction.query({
    text: `UPDATE journal SET evidence = NULL, reason = NULL, data = json_build_object(
        'userId', user_id, 'version', version, 'user', json_strip_nulls(json_build_object(
          'id', user_id, 'status', data -> 'user' ->> 'status', 'version', version,
          'mergedInto', data -> 'user' ->> 'mergedInto')))
      WHERE user_id = ANY ($1) AND version IS NOT NULL`,
    values: [userIds],
  });
  await redact(transaction, [...userIds, ...related.map(({ id }) => id)], person.personalTexts);
  await transaction.query({
    text: `UPDATE merge SET moved_identities = '[]', moved_union_ids = '[]', evidence = NULL
      WHERE source_user_id = ANY ($1) OR target_user_id = ANY ($1)`,
    values: [userIds],
  });
  await transaction.query({
    text: `UPDATE conflict SET status = 'resolved', decision = coalesce(decision, 'overtaken'), evidence = '[]',
        app_id = '', open_id = '', union_id = ''
      WHERE user_ids && $1::uuid[] OR (entity_id = $2 AND open_id = ANY ($3))`,
    values: [userIds, person.entityId, person.personalTexts],
  });
  await transaction.query({ text: 'DELETE FROM login_code WHERE user_id = ANY ($1)', values: [userIds] });
  await transaction.query({
    text: 'DELETE FROM subscription WHERE open_id = ANY ($1)',
    values: [person.personalTexts],
  });
  await transaction.query({
    text: 'DELETE FROM follower_lookup WHERE open_id = ANY ($1)',
    values: [person.personalTexts],
  });
  const answers = [...userIds, ...person.personalTexts].map((text) => `%"${text}"%`);
  await transaction.query({ text: 'DELETE FROM idempotency WHERE body::text LIKE ANY ($1)', values: [answers] });
}

/** Replaces a person's ids in what is told of others. Only rows of related users can name them, so only those are read. */
async function redact(
  transaction: Transaction,
  userIds: readonly string[],
  personalTexts: readonly string[],
): Promise<void> {
  if (personalTexts.length === 0) return;
  const rows = await transaction.query<{ id: number; data: string; evidence: string | null }>({
    text: `SELECT id, data::text AS data, evidence::text AS evidence FROM journal
      WHERE user_id = ANY ($1) AND (data::text LIKE ANY ($2) OR evidence::text LIKE ANY ($2))`,
    values: [userIds, personalTexts.map((text) => `%"${text.replaceAll('_', '\\_')}"%`)],
  });
  const clean = (json: string | null): string | null =>
    personalTexts.reduce<string | null>((text, id) => text?.replaceAll(`"${id}"`, '"erased"') ?? null, json);
  for (const row of rows)
    await transaction.query({
      text: 'UPDATE journal SET data = $2, evidence = $3 WHERE id = $1',
      values: [row.id, clean(row.data), clean(row.evidence)],
    });
}
