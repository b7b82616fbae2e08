import type { Transaction } from './database.js';
import type { PersonalIds } from './redact.js';
import { redactJson } from './redact.js';

/** Everything about a person that must not be found in any table once they are erased. */
export interface Forgotten extends PersonalIds {
  readonly entityId: string;
  /** The erased user and every id folded into it. */
  readonly userIds: readonly string[];
}

/** Ids folded into this user, at whatever depth. */
export async function readAliases(transaction: Transaction, userId: string): Promise<string[]> {
  const rows = await transaction.query<{ user_id: string }>({
    text: 'SELECT user_id FROM redirect WHERE target_id = $1',
    values: [userId],
  });
  return rows.map((row) => row.user_id);
}

/**
 * Takes a person out of the memory, under the user's row lock. Their own steps keep ids, status and version; steps and
 * notices of others keep everything but this person's ids. Answers the entries of the journal that it changed; the salts
 * of their digests (audit_leaf) are gone.
 */
export async function forget(transaction: Transaction, person: Forgotten): Promise<number[]> {
  const { userIds } = person;
  const seen = await readSeen(transaction, person);
  const entries = await lockEntries(transaction, userIds, seen);
  // After the entries were chosen: whoever was given an id of theirs since has told of it in entries that were not.
  const personal = await withoutOthers(transaction, person, seen);
  const changed = await emptyJournal(transaction, entries, personal);
  await transaction.query({ text: 'UPDATE audit_leaf SET salt = NULL WHERE journal_id = ANY ($1)', values: [changed] });
  await transaction.query({
    text: `UPDATE merge SET moved_identities = '[]', moved_union_ids = '[]', evidence = NULL
      WHERE source_user_id = ANY ($1) OR target_user_id = ANY ($1)`,
    values: [userIds],
  });
  const appIds = personal.identities.map(({ appId }) => appId);
  const openIds = personal.identities.map(({ openId }) => openId);
  await transaction.query({
    text: `WITH mine AS (SELECT id FROM merge WHERE source_user_id = ANY ($1) OR target_user_id = ANY ($1)),
        consents AS (UPDATE consent SET reason = NULL FROM mine WHERE merge_id = mine.id),
        ignored AS (UPDATE ignored_answer SET reason = NULL FROM mine WHERE merge_id = mine.id),
        -- Nobody is left to be merged.
        ended AS (UPDATE merge_case c SET due_at = NULL, decided_at = coalesce(c.decided_at, clock_timestamp()),
          decision_reason = NULL FROM mine WHERE c.merge_id = mine.id)
      UPDATE merge SET status = 'stale' FROM mine WHERE merge.id = mine.id AND merge.status LIKE 'pending%'`,
    values: [userIds],
  });
  await transaction.query({
    text: `UPDATE conflict SET status = 'resolved', decision = coalesce(decision, 'overtaken'), evidence = '[]',
        app_id = '', open_id = '', union_id = ''
      WHERE user_ids && $1::uuid[]
        OR (entity_id = $2 AND (app_id, open_id) IN (SELECT * FROM unnest($3::text[], $4::text[])))
        OR (entity_id = $2 AND (open_platform_id, union_id) IN (SELECT * FROM unnest($5::text[], $6::text[])))`,
    values: [
      userIds,
      person.entityId,
      appIds,
      openIds,
      person.unionKeys.map(({ openPlatformId }) => openPlatformId),
      person.unionKeys.map(({ unionId }) => unionId),
    ],
  });
  await transaction.query({ text: 'DELETE FROM login_code WHERE user_id = ANY ($1)', values: [userIds] });
  for (const table of ['subscription', 'follower_lookup'])
    await transaction.query({
      text: `DELETE FROM ${table} WHERE (app_id, open_id) IN (SELECT * FROM unnest($1::text[], $2::text[]))`,
      values: [appIds, openIds],
    });
  // Sealed, and gone within a day: only those that name the person are taken away at once.
  await transaction.query({ text: 'DELETE FROM idempotency WHERE about && $1::uuid[]', values: [userIds] });
  return changed;
}

/** Ids that they held at any time, or that were held against them: what a person lost since is as personal as what it holds. */
async function readSeen(transaction: Transaction, person: Forgotten): Promise<PersonalIds> {
  const rows = await transaction.query<{ is_open: boolean; space: string; id: string }>({
    text: `WITH own AS MATERIALIZED (
        SELECT data, evidence, data -> 'conflict' AS conflict FROM journal WHERE user_id = ANY ($1)),
      told (x) AS (
        SELECT x FROM own, json_array_elements(data -> 'user' -> 'identities') x
        UNION ALL SELECT x FROM own, json_array_elements(data -> 'user' -> 'unionIds') x
        UNION ALL SELECT unnest(ARRAY[data, evidence, conflict]) FROM own)
      SELECT true AS is_open, x ->> 'appId' AS space, x ->> 'openId' AS id FROM told
        WHERE x ->> 'appId' IS NOT NULL AND x ->> 'openId' IS NOT NULL
      UNION SELECT false, coalesce(x ->> 'openPlatformId', ''), x ->> 'unionId' FROM told WHERE x ->> 'unionId' IS NOT NULL`,
    values: [person.userIds],
  });
  const identities = rows.filter((row) => row.is_open).map(({ space, id }) => ({ appId: space, openId: id }));
  const keys = rows.filter((row) => !row.is_open).map(({ space, id }) => ({ openPlatformId: space, unionId: id }));
  return { identities: [...person.identities, ...identities], unionKeys: [...person.unionKeys, ...keys] };
}

/** But not what somebody else owns now: to whom it was given, or who was the other side of a conflict. */
async function withoutOthers(
  transaction: Transaction,
  { entityId, userIds }: Forgotten,
  { identities, unionKeys }: PersonalIds,
): Promise<PersonalIds> {
  const theirs = await transaction.query<{ app_id: string; open_id: string }>({
    text: `SELECT i.app_id, i.open_id FROM unnest($1::text[], $2::text[]) q (a, o)
      JOIN identity i ON i.app_id = q.a AND i.open_id = q.o WHERE i.user_id <> ALL ($3)`,
    values: [identities.map(({ appId }) => appId), identities.map(({ openId }) => openId), userIds],
  });
  const theirKeys = await transaction.query<{ open_platform_id: string; union_id: string }>({
    text: `SELECT k.open_platform_id, k.union_id FROM unnest($1::text[], $2::text[]) q (p, u)
      JOIN union_key k ON k.entity_id = $3 AND k.open_platform_id = q.p AND k.union_id = q.u WHERE k.user_id <> ALL ($4)`,
    values: [unionKeys.map((key) => key.openPlatformId), unionKeys.map((key) => key.unionId), entityId, userIds],
  });
  const isTheirs = new Set([
    ...theirs.map((row) => `${row.app_id}\n${row.open_id}`),
    ...theirKeys.map((row) => `${row.open_platform_id}\n${row.union_id}`),
  ]);
  return {
    identities: identities.filter(({ appId, openId }) => !isTheirs.has(`${appId}\n${openId}`)),
    unionKeys: unionKeys.filter((key) => !isTheirs.has(`${key.openPlatformId}\n${key.unionId}`)),
  };
}

/**
 * Whoever shared an identity with them at any time, and so may name it: through merges, undone ones too, splits and moves,
 * at whatever distance; and the other sides of their conflicts.
 */
const relatedSql = `WITH RECURSIVE related (id) AS (
    SELECT unnest($1::uuid[])
    UNION
    SELECT next.id FROM related r CROSS JOIN LATERAL (
      SELECT target_user_id AS id FROM merge WHERE source_user_id = r.id
      UNION ALL SELECT source_user_id FROM merge WHERE target_user_id = r.id
      UNION ALL SELECT unnest(ARRAY[data ->> 'newUserId', data ->> 'previousUserId'])::uuid FROM journal
        WHERE user_id = r.id AND version IS NOT NULL) next
    WHERE next.id IS NOT NULL)
  SELECT id FROM related UNION SELECT unnest(user_ids) FROM conflict WHERE user_ids && (SELECT array_agg(id) FROM related)`;

interface Entry extends Record<string, unknown> {
  readonly id: number;
  readonly is_own: boolean;
  readonly data: string;
  readonly evidence: string | null;
}

/**
 * Their own steps, and what of others names an id of theirs. Only rows of related users can, so only those are read. They
 * are locked in one order: of two erasures that change one row, the second must see what the first left of it.
 */
async function lockEntries(transaction: Transaction, userIds: readonly string[], seen: PersonalIds): Promise<Entry[]> {
  const related = await transaction.query<{ id: string }>({ text: relatedSql, values: [userIds] });
  return transaction.query<Entry>({
    text: `SELECT id, user_id = ANY ($1) AND version IS NOT NULL AS is_own, data::text AS data, evidence::text AS evidence
      FROM journal WHERE user_id = ANY ($2)
        AND (user_id = ANY ($1) AND version IS NOT NULL OR data::text LIKE ANY ($3) OR evidence::text LIKE ANY ($3))
      ORDER BY id FOR UPDATE`,
    values: [userIds, related.map(({ id }) => id), patternsOf(seen)],
  });
}

/** Empties their own steps, and replaces their ids in what is told of others. Answers what it changed. */
async function emptyJournal(
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
  const others = entries
    .filter((row) => !row.is_own)
    .map((before) => {
      const evidence = before.evidence === null ? null : redactJson(before.evidence, personal);
      return { before, id: before.id, data: redactJson(before.data, personal), evidence };
    })
    .filter(({ before, data, evidence }) => data !== before.data || evidence !== before.evidence);
  await transaction.query({
    text: `UPDATE journal SET data = c.data, evidence = c.evidence
      FROM unnest($1::bigint[], $2::text[]::json[], $3::text[]::json[]) c (id, data, evidence) WHERE journal.id = c.id`,
    values: [others.map(({ id }) => id), others.map(({ data }) => data), others.map(({ evidence }) => evidence)],
  });
  return [...own, ...others.map(({ id }) => id)];
}

const patternsOf = ({ identities, unionKeys }: PersonalIds): string[] => {
  const texts = new Set([...identities.map(({ openId }) => openId), ...unionKeys.map(({ unionId }) => unionId)]);
  return [...texts].map((text) => `%"${text.replaceAll('_', '\\_')}"%`);
};
