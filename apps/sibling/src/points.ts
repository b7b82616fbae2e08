import type { PoolClient } from 'pg';
import type { Handlers } from '#consumer';
import type { IdentityRef } from '#events';

/** Per user and identity: only so can a merge be undone. */
export const pointsTable = `CREATE TABLE IF NOT EXISTS points (
  user_id text, app_id text, open_id text, points bigint NOT NULL, PRIMARY KEY (user_id, app_id, open_id))`;
const add = 'ON CONFLICT (user_id, app_id, open_id) DO UPDATE SET points = points.points + excluded.points';

/** What this shop does when it learns who is who. */
export const handlers: Handlers<PoolClient> = {
  onMerged: (from, into, client) => move(client, from, into, null),
  onReverted: (source, target, identities, client) => move(client, target, source, identities),
  onMoved: (from, to, identities, client) => move(client, from, to, identities),
  onErased: async (userId, client) => void (await client.query('DELETE FROM points WHERE user_id = $1', [userId])),
};

export async function earn(client: PoolClient, userId: string, { appId, openId }: IdentityRef, points: number) {
  await client.query(`INSERT INTO points VALUES ($1, $2, $3, $4) ${add}`, [userId, appId, openId, points]);
  return pointsOf(client, userId);
}

export async function pointsOf(client: PoolClient, userId: string): Promise<object> {
  const sum = 'SELECT coalesce(sum(points), 0)::float8 AS points FROM points WHERE user_id = $1';
  const { rows } = await client.query(sum, [userId]);
  return { userId, ...rows[0] };
}

/** Null: whatever identity it was earned under. */
async function move(client: PoolClient, from: string, to: string, identities: readonly IdentityRef[] | null) {
  const moved = `DELETE FROM points WHERE user_id = $1 AND ($3::jsonb IS NULL OR (app_id, open_id) IN
    (SELECT "appId", "openId" FROM jsonb_to_recordset($3) AS i ("appId" text, "openId" text))) RETURNING *`;
  const put = `WITH moved AS (${moved}) INSERT INTO points SELECT $2, app_id, open_id, points FROM moved ${add}`;
  await client.query(put, [from, to, identities === null ? null : JSON.stringify(identities)]);
}
