import type { UserState } from '#events';
import type { Database } from './database.js';

/** A user as look-ups show it. Times are Dates; the API writes them as RFC 3339 in UTC with milliseconds. */
export interface UserView {
  readonly id: string;
  readonly entityId: string;
  readonly status: 'live' | 'merged' | 'erased';
  readonly version: number;
  readonly mergedInto: string | null;
  readonly createdAt: Date;
  readonly identities: readonly { readonly appId: string; readonly openId: string; readonly linkedAt: string }[];
  readonly unionIds: readonly { readonly openPlatformId: string; readonly unionId: string }[];
}

interface UserViewRow {
  requested: string;
  id: string;
  entity_id: string;
  status: 'live' | 'merged' | 'erased';
  version: number;
  merged_into: string | null;
  created_at: Date;
  identities: { appId: string; openId: string; linkedAt: string }[] | null;
  union_ids: { openPlatformId: string; unionId: string }[] | null;
}

const userColumns = `u.id, u.entity_id, u.status, u.version, u.merged_into, u.created_at,
  (SELECT json_agg(json_build_object('appId', i.app_id, 'openId', i.open_id, 'linkedAt', i.linked_at)
                   ORDER BY i.linked_at, i.app_id, i.open_id) FROM identity i WHERE i.user_id = u.id) AS identities,
  (SELECT json_agg(json_build_object('openPlatformId', k.open_platform_id, 'unionId', k.union_id)
                   ORDER BY k.linked_at, k.open_platform_id, k.union_id)
   FROM union_key k WHERE k.user_id = u.id AND k.retired_at IS NULL) AS union_ids`;

function view(row: UserViewRow): UserView {
  return {
    id: row.id,
    entityId: row.entity_id,
    status: row.status,
    version: row.version,
    mergedInto: row.merged_into,
    createdAt: row.created_at,
    identities: (row.identities ?? []).map((identity) => ({
      ...identity,
      linkedAt: new Date(identity.linkedAt).toISOString(),
    })),
    unionIds: row.union_ids ?? [],
  };
}

/**
 * Whom each id leads to, in one snapshot and one hop: the live or erased user at the end of the chain. Ids that are
 * unknown, or of another entity than `entityId` (null: any), are absent.
 */
export async function readUsers(
  database: Database,
  ids: readonly string[],
  entityId: string | null,
): Promise<Map<string, UserView>> {
  const rows = await database.query<UserViewRow>({
    name: 'read-users',
    text: `SELECT q.id AS requested, ${userColumns}
      FROM unnest($1::uuid[]) q(id)
      LEFT JOIN redirect r ON r.user_id = q.id
      JOIN users u ON u.id = coalesce(r.target_id, q.id)
      WHERE $2::text IS NULL OR u.entity_id = $2`,
    values: [ids, entityId],
  });
  return new Map(rows.map((row) => [row.requested, view(row)]));
}

/** Each user's own row, whatever became of it: the state topic is made of these. */
export async function readOwnStates(database: Database, ids: readonly string[]): Promise<UserView[]> {
  const rows = await database.query<UserViewRow>({
    name: 'read-own-states',
    text: `SELECT u.id AS requested, ${userColumns} FROM users u WHERE u.id = ANY ($1::uuid[])`,
    values: [ids],
  });
  return rows.map(view);
}

export interface IdentityView {
  readonly appId: string;
  readonly openId: string;
  readonly linkedAt: Date;
  readonly userId: string;
}

/** Owners of identities, in one snapshot; unknown ones and those of another entity are absent. */
export async function readIdentities(
  database: Database,
  identities: readonly { readonly appId: string; readonly openId: string }[],
  entityId: string | null,
): Promise<IdentityView[]> {
  const rows = await database.query<{ app_id: string; open_id: string; linked_at: Date; user_id: string }>({
    name: 'read-identities',
    text: `SELECT i.app_id, i.open_id, i.linked_at, i.user_id
      FROM (SELECT DISTINCT a, o FROM unnest($1::text[], $2::text[]) x(a, o)) q
      JOIN identity i ON i.app_id = q.a AND i.open_id = q.o
      WHERE $3::text IS NULL OR i.entity_id = $3`,
    values: [identities.map(({ appId }) => appId), identities.map(({ openId }) => openId), entityId],
  });
  return rows.map((row) => ({
    appId: row.app_id,
    openId: row.open_id,
    linkedAt: row.linked_at,
    userId: row.user_id,
  }));
}

export interface UserFilter {
  readonly entityId: string | null;
  readonly unionId?: string | undefined;
  readonly openPlatformId?: string | undefined;
  readonly appId?: string | undefined;
  readonly openId?: string | undefined;
  readonly provisional?: boolean | undefined;
  readonly createdFrom?: Date | undefined;
  readonly createdTo?: Date | undefined;
  readonly after: string | null;
  readonly limit: number;
}

/** Live users in id order. The id never changes, so paging is stable while merges and new users come and go. */
export async function listUsers(database: Database, filter: UserFilter): Promise<UserView[]> {
  const rows = await database.query<UserViewRow>({
    text: `SELECT u.id AS requested, ${userColumns}
      FROM users u
      WHERE u.status = 'live'
        AND ($1::text IS NULL OR u.entity_id = $1)
        AND ($2::uuid IS NULL OR u.id > $2)
        AND ($3::text IS NULL OR u.id IN (SELECT k.user_id FROM union_key k WHERE k.union_id = $3
              AND k.entity_id = u.entity_id AND ($4::text IS NULL OR k.open_platform_id = $4)))
        AND ($4::text IS NULL OR $3::text IS NOT NULL OR EXISTS (SELECT FROM union_key k
              WHERE k.user_id = u.id AND k.open_platform_id = $4 AND k.retired_at IS NULL))
        AND ($5::text IS NULL OR EXISTS (SELECT FROM identity i WHERE i.user_id = u.id AND i.app_id = $5
              AND ($6::text IS NULL OR i.open_id = $6)))
        AND ($6::text IS NULL OR $5::text IS NOT NULL OR EXISTS (SELECT FROM identity i WHERE i.user_id = u.id AND i.open_id = $6))
        AND ($7::boolean IS NULL OR $7 = NOT EXISTS (SELECT FROM union_key k WHERE k.user_id = u.id AND k.retired_at IS NULL))
        AND ($8::timestamptz IS NULL OR u.created_at >= $8)
        AND ($9::timestamptz IS NULL OR u.created_at < $9)
      ORDER BY u.id
      LIMIT $10`,
    values: [
      filter.entityId,
      filter.after,
      filter.unionId ?? null,
      filter.openPlatformId ?? null,
      filter.appId ?? null,
      filter.openId ?? null,
      filter.provisional ?? null,
      filter.createdFrom ?? null,
      filter.createdTo ?? null,
      filter.limit,
    ],
  });
  return rows.map(view);
}

/** One entry of a user's history; `before` is the state that the step before left. */
export interface HistoryRow {
  readonly user_id: string;
  readonly version: number;
  readonly recorded_at: Date;
  readonly type: string;
  readonly actor: string;
  readonly cause: string;
  readonly reason: string | null;
  readonly request_id: string | null;
  readonly evidence: object | null;
  readonly data: { readonly user: UserState };
  readonly before: { readonly user: UserState } | null;
  readonly id: number;
}

/** Newest first. With `includeMerged` also the steps of the users folded into this one. */
export async function readHistory(
  database: Database,
  query: { userId: string; includeMerged: boolean; after: number | null; limit: number },
): Promise<HistoryRow[]> {
  return database.query<HistoryRow & Record<string, unknown>>({
    text: `SELECT j.id, j.user_id, j.version, j.recorded_at, j.type, j.actor, j.cause, j.reason, j.request_id, j.evidence, j.data,
        (SELECT p.data FROM journal p WHERE p.user_id = j.user_id AND p.version = j.version - 1) AS before
      FROM journal j
      WHERE j.version IS NOT NULL
        AND j.user_id IN (SELECT $1::uuid UNION ALL SELECT r.user_id FROM redirect r WHERE $2 AND r.target_id = $1)
        AND ($3::bigint IS NULL OR j.id < $3)
      ORDER BY j.id DESC LIMIT $4`,
    values: [query.userId, query.includeMerged, query.after, query.limit],
  });
}
