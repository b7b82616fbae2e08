import type { Database, Transaction } from './database.js';
import type { RetiredRow } from './people.js';

/** A merge remembers what its source brought; what replaced that goes back with it when the merge is undone. */
interface Replaced<Key> {
  readonly userId: string;
  readonly from: Key;
  readonly to: Key & { readonly linkedAt?: string };
}
export type MovedMemory = Replaced<{ readonly openPlatformId: string; readonly unionId: string }>;
export type MovedIdentityMemory = Replaced<{ readonly appId: string; readonly openId: string }>;

export function rememberRekeys(transaction: Transaction, replaced: readonly MovedMemory[]): Promise<void> {
  return remember(transaction, 'moved_union_ids', replaced);
}

export function rememberReplacements(
  transaction: Transaction,
  replaced: readonly MovedIdentityMemory[],
): Promise<void> {
  return remember(transaction, 'moved_identities', replaced);
}

async function remember(
  transaction: Transaction,
  column: 'moved_union_ids' | 'moved_identities',
  replaced: readonly { readonly userId: string; readonly from: object; readonly to: object }[],
): Promise<void> {
  const rows = await transaction.query<{ id: string }>({
    name: 'users-with-sources',
    text: 'SELECT DISTINCT target_id AS id FROM redirect WHERE target_id = ANY ($1::uuid[])',
    values: [replaced.map(({ userId }) => userId)],
  });
  const merged = new Set(rows.map(({ id }) => id));
  for (const { userId, from, to } of replaced)
    if (merged.has(userId))
      await transaction.query({
        text: `UPDATE merge SET ${column} = (${column}::jsonb || $3::jsonb)::json
          WHERE status = 'merged' AND source_user_id IN (SELECT user_id FROM redirect WHERE target_id = $1)
            AND ${column}::jsonb @> $2::jsonb`,
        values: [userId, JSON.stringify([from]), JSON.stringify([to])],
      });
}

/** Writes down what stands for openIds that are gone, and leads on those that led to them. */
export async function retireIdentities(
  transaction: Transaction,
  entityId: string,
  rows: readonly RetiredRow[],
  retiredAt: string,
): Promise<void> {
  for (const row of rows) {
    await transaction.query({
      name: 'lead-on-retired',
      text: `UPDATE retired_identity SET by_app_id = $3, by_open_id = $4 WHERE by_app_id = $1 AND by_open_id = $2`,
      values: [row.appId, row.openId, row.byAppId, row.byOpenId],
    });
    await transaction.query({
      name: 'retire-identity',
      text: `INSERT INTO retired_identity (app_id, open_id, entity_id, by_app_id, by_open_id, linked_at, retired_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (app_id, open_id) DO UPDATE
        SET by_app_id = excluded.by_app_id, by_open_id = excluded.by_open_id, retired_at = excluded.retired_at`,
      values: [row.appId, row.openId, entityId, row.byAppId, row.byOpenId, row.linkedAt, retiredAt],
    });
  }
}

/** Of identities that are gone, those that WeChat replaced, with the users they lead to. */
export async function readRetiredIdentities(
  database: Database,
  identities: readonly { readonly appId: string; readonly openId: string }[],
  entityId: string | null,
): Promise<(RetiredRow & { readonly userId: string })[]> {
  return database.query<RetiredRow & { readonly userId: string } & Record<string, unknown>>({
    name: 'read-retired-identities',
    text: `SELECT r.app_id AS "appId", r.open_id AS "openId", r.by_app_id AS "byAppId", r.by_open_id AS "byOpenId",
        to_char(r.linked_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS "linkedAt", i.user_id AS "userId"
      FROM unnest($1::text[], $2::text[]) q(app_id, open_id)
      JOIN retired_identity r ON r.app_id = q.app_id AND r.open_id = q.open_id
      JOIN identity i ON i.app_id = r.by_app_id AND i.open_id = r.by_open_id
      WHERE $3::text IS NULL OR r.entity_id = $3`,
    values: [identities.map(({ appId }) => appId), identities.map(({ openId }) => openId), entityId],
  });
}

/** The openIds that these stand for. */
export function readFormerNames(
  database: Database,
  identities: readonly { readonly appId: string; readonly openId: string }[],
): Promise<Pick<RetiredRow, 'appId' | 'openId' | 'byAppId' | 'byOpenId'>[]> {
  return database.query<RetiredRow & Record<string, unknown>>({
    name: 'read-former-names',
    text: `SELECT r.app_id AS "appId", r.open_id AS "openId", r.by_app_id AS "byAppId", r.by_open_id AS "byOpenId"
      FROM unnest($1::text[], $2::text[]) q(app_id, open_id)
      JOIN retired_identity r ON r.by_app_id = q.app_id AND r.by_open_id = q.open_id`,
    values: [identities.map(({ appId }) => appId), identities.map(({ openId }) => openId)],
  });
}

/** Forgets which openIds these stand for, and answers them. */
export async function forgetRetired(
  transaction: Transaction,
  identities: readonly { readonly appId: string; readonly openId: string }[],
): Promise<{ readonly appId: string; readonly openId: string }[]> {
  return transaction.query<{ appId: string; openId: string }>({
    text: `DELETE FROM retired_identity r USING unnest($1::text[], $2::text[]) x(app_id, open_id)
      WHERE r.by_app_id = x.app_id AND r.by_open_id = x.open_id RETURNING r.app_id AS "appId", r.open_id AS "openId"`,
    values: [identities.map(({ appId }) => appId), identities.map(({ openId }) => openId)],
  });
}
