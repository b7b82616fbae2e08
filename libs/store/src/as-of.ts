import type { UserState } from '#events';
import type { Database } from './database.js';
import { relatedUsers } from './related.js';

/** The user's own state at a moment: what its last step until then left. Null before its first version. */
export async function readStateAsOf(database: Database, userId: string, at: Date): Promise<UserState | null> {
  const [row] = await database.query<{ data: { user: UserState } }>({
    name: 'read-state-as-of',
    text: `SELECT data FROM journal WHERE user_id = $1 AND version IS NOT NULL AND recorded_at <= $2
      ORDER BY version DESC LIMIT 1`,
    values: [userId, at],
  });
  return row?.data.user ?? null;
}

/**
 * Who held an identity at a moment, in the state of then; null: nobody of those who can have. That is whoever holds it now,
 * or held it last (`fingerprint` finds the user it was unlinked from), and all who ever shared an identity with them.
 */
export async function readOwnerAsOf(
  database: Database,
  asked: {
    readonly appId: string;
    readonly openId: string;
    readonly fingerprint: string;
    readonly entityId: string | null;
    readonly at: Date;
  },
): Promise<UserState | null> {
  const { appId, openId, fingerprint, entityId, at } = asked;
  const [row] = await database.query<{ data: { user: UserState } }>({
    name: 'read-owner-as-of',
    text: `WITH RECURSIVE start (id) AS (
        SELECT user_id FROM identity WHERE app_id = $1 AND open_id = $2
        UNION ALL SELECT i.user_id FROM retired_identity r JOIN identity i ON i.app_id = r.by_app_id AND i.open_id = r.by_open_id
          WHERE r.app_id = $1 AND r.open_id = $2
        UNION ALL SELECT user_id FROM departed_identity WHERE fingerprint = decode($3, 'hex')),
      ${relatedUsers('SELECT id FROM start')}
      SELECT j.data FROM related r
        CROSS JOIN LATERAL (SELECT data, entity_id FROM journal
          WHERE user_id = r.id AND version IS NOT NULL AND recorded_at <= $5 ORDER BY version DESC LIMIT 1) j
      WHERE ($4::text IS NULL OR j.entity_id = $4) AND EXISTS (
        SELECT FROM json_array_elements(j.data -> 'user' -> 'identities') x
        WHERE x ->> 'appId' = $1 AND x ->> 'openId' = $2)
      LIMIT 1`,
    values: [appId, openId, fingerprint, entityId, at],
  });
  return row?.data.user ?? null;
}

export interface LedAsOf {
  readonly id: string;
  /** The end of the chain of then. */
  readonly leader: string;
  readonly status: 'live' | 'merged' | 'erased';
}

const then = (id: string): string => `LATERAL (SELECT data -> 'user' ->> 'status' AS status,
    (data -> 'user' ->> 'mergedInto')::uuid AS into_id FROM journal
  WHERE user_id = ${id} AND version IS NOT NULL AND recorded_at <= $2 ORDER BY version DESC LIMIT 1)`;

/** Where each id led at a moment; those that did not exist yet are absent. */
export function readLeadersAsOf(database: Database, ids: readonly string[], at: Date): Promise<LedAsOf[]> {
  return database.query<LedAsOf & Record<string, unknown>>({
    name: 'read-leaders-as-of',
    text: `WITH RECURSIVE led (id, leader, status, into_id) AS (
        SELECT q.id, q.id, j.status, j.into_id FROM unnest($1::uuid[]) q (id) CROSS JOIN ${then('q.id')} j
        UNION ALL
        SELECT l.id, l.into_id, j.status, j.into_id FROM led l CROSS JOIN ${then('l.into_id')} j WHERE l.into_id IS NOT NULL)
      SELECT id, leader, status FROM led WHERE into_id IS NULL`,
    values: [ids, at],
  });
}
