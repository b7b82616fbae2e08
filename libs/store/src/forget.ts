import type { Transaction } from './database.js';
import { emptyJournal, lockEntries } from './forget-journal.js';
import { redactReasons } from './forget-reasons.js';
import { emptyImportLines } from './imports.js';
import type { PersonalIds } from './redact.js';
import { textsOf } from './redact.js';

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

/** A conflict that was open until its person was forgotten: nothing but ids of ours is left of it. */
export interface EndedConflict {
  readonly id: string;
  readonly kind: string;
  readonly userIds: readonly string[];
  readonly openPlatformId: string;
  readonly likelyCause: string;
}

export interface Forgetting {
  /** Entries of the journal that it changed; the salts of their digests (audit_leaf) are gone. */
  readonly redacted: readonly number[];
  readonly endedConflicts: readonly EndedConflict[];
  /** Every id of theirs that was found, also of what they had lost before. */
  readonly texts: readonly string[];
}

/**
 * Takes a person out of the memory, under the user's row lock. Their own steps keep ids, status and version; steps and
 * notices of others keep everything but this person's ids. What people wrote as the reason of a change that this person
 * was a party of may name them, and goes with them; in other reasons their ids are replaced.
 */
export async function forget(transaction: Transaction, person: Forgotten): Promise<Forgetting> {
  const { userIds } = person;
  const seen = await readSeen(transaction, person);
  const entries = await lockEntries(transaction, person, seen);
  // After the entries were chosen: whoever was given an id of theirs since has told of it in entries that were not.
  const personal = await withoutOthers(transaction, person, seen);
  const changed = await emptyJournal(transaction, entries, personal);
  await transaction.query({ text: 'UPDATE audit_leaf SET salt = NULL WHERE journal_id = ANY ($1)', values: [changed] });
  await transaction.query({
    text: `UPDATE merge SET moved_identities = '[]', moved_union_ids = '[]', evidence = NULL, reason = NULL, revert_reason = NULL
      WHERE source_user_id = ANY ($1) OR target_user_id = ANY ($1)`,
    values: [userIds],
  });
  const appIds = personal.identities.map(({ appId }) => appId);
  const openIds = personal.identities.map(({ openId }) => openId);
  await transaction.query({
    text: `WITH mine AS (SELECT id FROM merge WHERE source_user_id = ANY ($1) OR target_user_id = ANY ($1)),
        told AS (UPDATE acknowledgement SET detail = NULL FROM mine WHERE subject_id = mine.id),
        consents AS (UPDATE consent SET reason = NULL FROM mine WHERE merge_id = mine.id),
        ignored AS (UPDATE ignored_answer SET reason = NULL FROM mine WHERE merge_id = mine.id),
        -- Nobody is left to be merged.
        ended AS (UPDATE merge_case c SET due_at = NULL, decided_at = coalesce(c.decided_at, clock_timestamp()),
          decision_reason = NULL FROM mine WHERE c.merge_id = mine.id)
      UPDATE merge SET status = 'stale' FROM mine WHERE merge.id = mine.id AND merge.status LIKE 'pending%'`,
    values: [userIds],
  });
  await transaction.query({
    text: 'UPDATE separation SET reason = NULL WHERE user_a = ANY ($1) OR user_b = ANY ($1)',
    values: [userIds],
  });
  const endedConflicts = await endConflicts(transaction, person, personal);
  const texts = textsOf(personal);
  await redactReasons(transaction, person.entityId, texts);
  await emptyImportLines(transaction, person.entityId, personal);
  await transaction.query({ text: 'DELETE FROM login_code WHERE user_id = ANY ($1)', values: [userIds] });
  await transaction.query({
    text: 'UPDATE departed_identity SET user_id = NULL WHERE user_id = ANY ($1)',
    values: [userIds],
  });
  for (const table of ['subscription', 'follower_lookup'])
    await transaction.query({
      text: `DELETE FROM ${table} WHERE (app_id, open_id) IN (SELECT * FROM unnest($1::text[], $2::text[]))`,
      values: [appIds, openIds],
    });
  // That a push came stays; one that waits says of this person what is over.
  await transaction.query({
    text: `UPDATE push SET message = NULL, status = CASE status WHEN 'waiting' THEN 'done' ELSE status END
      WHERE status IN ('waiting', 'parked') AND app_id = ANY ($1)
        AND (app_id, message ->> 'openId') IN (SELECT * FROM unnest($1::text[], $2::text[]))`,
    values: [appIds, openIds],
  });
  // Sealed, and gone within a day: only those that name the person are taken away at once.
  await transaction.query({ text: 'DELETE FROM idempotency WHERE about && $1::uuid[]', values: [userIds] });
  return { redacted: changed, endedConflicts, texts };
}

/** Conflicts of theirs are over, and nothing personal is left in them. Answers those that were open. */
async function endConflicts(
  transaction: Transaction,
  { entityId, userIds }: Forgotten,
  { identities, unionKeys }: PersonalIds,
): Promise<EndedConflict[]> {
  const rows = await transaction.query<EndedConflict & Record<string, unknown>>({
    text: `WITH theirs AS MATERIALIZED (SELECT id, status FROM conflict
        WHERE user_ids && $1::uuid[]
          OR (entity_id = $2 AND (app_id, open_id) IN (SELECT * FROM unnest($3::text[], $4::text[])))
          OR (entity_id = $2 AND (open_platform_id, union_id) IN (SELECT * FROM unnest($5::text[], $6::text[])))
        ORDER BY id FOR UPDATE),
      ended AS (UPDATE conflict c SET status = 'resolved', decision = coalesce(c.decision, 'overtaken'),
          decided_at = coalesce(c.decided_at, clock_timestamp()), reason = NULL, evidence = '[]',
          app_id = '', open_id = '', union_id = ''
        FROM theirs WHERE c.id = theirs.id RETURNING c.*, theirs.status AS earlier)
      SELECT id, kind, user_ids AS "userIds", open_platform_id AS "openPlatformId", likely_cause AS "likelyCause"
      FROM ended WHERE earlier = 'open' ORDER BY id`,
    values: [
      userIds,
      entityId,
      identities.map(({ appId }) => appId),
      identities.map(({ openId }) => openId),
      unionKeys.map(({ openPlatformId }) => openPlatformId),
      unionKeys.map(({ unionId }) => unionId),
    ],
  });
  return rows;
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

/** But not what is somebody else's now: who owns it, or whose open conflict it is the matter of. */
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
      JOIN union_key k ON k.entity_id = $3 AND k.open_platform_id = q.p AND k.union_id = q.u WHERE k.user_id <> ALL ($4)
      UNION SELECT c.open_platform_id, c.union_id FROM unnest($1::text[], $2::text[]) q (p, u)
      JOIN conflict c ON c.entity_id = $3 AND c.status = 'open' AND c.open_platform_id = q.p AND c.union_id = q.u
      WHERE NOT c.user_ids && $4
        AND NOT EXISTS (SELECT FROM identity i WHERE i.app_id = c.app_id AND i.open_id = c.open_id AND i.user_id = ANY ($4))
        AND NOT EXISTS (SELECT FROM union_key k WHERE k.entity_id = $3 AND k.open_platform_id = q.p AND k.union_id = q.u
          AND k.user_id = ANY ($4))`,
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
