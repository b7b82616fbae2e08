import type { Transaction } from './database.js';
import type { PersonalIds } from './redact.js';
import { likeAny, redactJson, redactText, textsOf } from './redact.js';
import { relatedUsers } from './related.js';

/** Whoever shared an identity with them at any time, and so may name it; and the other sides of their conflicts. */
const relatedSql = `WITH RECURSIVE ${relatedUsers('SELECT unnest($1::uuid[])')}
  SELECT id FROM related UNION SELECT unnest(user_ids) FROM conflict WHERE user_ids && (SELECT array_agg(id) FROM related)`;

export interface Entry extends Record<string, unknown> {
  readonly id: number;
  readonly is_own: boolean;
  /** Nothing but its reason may name them. */
  readonly is_of_others: boolean;
  readonly data: string;
  readonly evidence: string | null;
  readonly reason: string | null;
}

/**
 * Their own entries, and what of others names them or an id of theirs. Only rows of related users can, so only those are
 * read; and those for which somebody wrote a reason, where anything may stand. They are locked in one order: of two erasures
 * that change one row, the second must see what the first left of it.
 */
export async function lockEntries(
  transaction: Transaction,
  { entityId, userIds }: { readonly entityId: string; readonly userIds: readonly string[] },
  seen: PersonalIds,
): Promise<Entry[]> {
  const related = await transaction.query<{ id: string }>({ text: relatedSql, values: [userIds] });
  return transaction.query<Entry>({
    text: `SELECT id, user_id = ANY ($1) AND version IS NOT NULL AS is_own, data::text AS data, evidence::text AS evidence, reason,
        NOT coalesce(user_id = ANY ($2), false) AS is_of_others
      FROM journal WHERE (user_id = ANY ($2) AND (user_id = ANY ($1) OR data::text LIKE ANY ($3) OR evidence::text LIKE ANY ($3)))
        OR (entity_id = $4 AND reason IS NOT NULL AND reason LIKE ANY ($5))
      ORDER BY id FOR UPDATE`,
    values: [
      userIds,
      related.map(({ id }) => id),
      likeAny([...textsOf(seen), ...userIds], '"'),
      entityId,
      likeAny(textsOf(seen)),
    ],
  });
}

/** Empties their own steps, and takes their ids and the reasons out of what else tells of them. Answers what it changed. */
export async function emptyJournal(
  transaction: Transaction,
  entries: readonly Entry[],
  personal: PersonalIds,
): Promise<number[]> {
  const own = entries.filter((row) => row.is_own).map(({ id }) => id);
  await transaction.query({
    text: `UPDATE journal SET evidence = NULL, reason = NULL, data = json_build_object(
        'userId', user_id, 'version', version, 'user', json_strip_nulls(json_build_object(
          'id', user_id, 'status', data -> 'user' ->> 'status', 'version', version,
          'mergedInto', data -> 'user' ->> 'mergedInto')))
      WHERE id = ANY ($1)`,
    values: [own],
  });
  const texts = textsOf(personal);
  const others = entries
    .filter((row) => !row.is_own)
    .map((before) => {
      const reasonOf = (said: string): string | null => (before.is_of_others ? redactText(said, texts) : null);
      const evidence = before.evidence === null ? null : redactJson(before.evidence, personal, reasonOf);
      const data = redactJson(before.data, personal, reasonOf);
      return { before, id: before.id, data, evidence, reason: before.reason === null ? null : reasonOf(before.reason) };
    })
    .filter(
      ({ before, data, evidence, reason }) =>
        data !== before.data || evidence !== before.evidence || reason !== before.reason,
    );
  await transaction.query({
    text: `UPDATE journal SET data = c.data, evidence = c.evidence, reason = c.reason
      FROM unnest($1::bigint[], $2::text[]::json[], $3::text[]::json[], $4::text[]) c (id, data, evidence, reason)
      WHERE journal.id = c.id`,
    values: [
      others.map(({ id }) => id),
      others.map(({ data }) => data),
      others.map(({ evidence }) => evidence),
      others.map(({ reason }) => reason),
    ],
  });
  return [...own, ...others.map(({ id }) => id)];
}
