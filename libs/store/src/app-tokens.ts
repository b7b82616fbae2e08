import type { Database } from './database.js';

export interface KeptAppToken {
  /** Sealed; null: none has come yet. */
  readonly token: Buffer | null;
  readonly isUsable: boolean;
  /** Steps with each new token: what a claim compares. */
  readonly version: number;
}

export async function readAppToken(database: Database, appId: string): Promise<KeptAppToken | null> {
  const rows = await database.query<KeptAppToken & Record<string, unknown>>({
    name: 'read-app-token',
    text: `SELECT token, coalesce(usable_until > clock_timestamp(), false) AS "isUsable", version
      FROM app_token WHERE app_id = $1`,
    values: [appId],
  });
  return rows[0] ?? null;
}

/** True: this owner replaces the token of that version (0 where there is no row) until the lease ends. */
export async function claimAppToken(
  database: Database,
  claim: { readonly appId: string; readonly version: number; readonly owner: string; readonly leaseSeconds: number },
): Promise<boolean> {
  const rows = await database.query({
    text: `INSERT INTO app_token (app_id, lease_owner, lease_until)
      VALUES ($1, $2, clock_timestamp() + make_interval(secs => $3))
      ON CONFLICT (app_id) DO UPDATE SET lease_owner = excluded.lease_owner, lease_until = excluded.lease_until
      WHERE app_token.version = $4 AND (app_token.lease_until IS NULL OR app_token.lease_until < clock_timestamp())
      RETURNING 1`,
    values: [claim.appId, claim.owner, claim.leaseSeconds, claim.version],
  });
  return rows.length > 0;
}

/** Keeps the new token and ends the lease; nothing where the lease has gone to somebody else meanwhile. */
export async function keepAppToken(
  database: Database,
  kept: { readonly appId: string; readonly owner: string; readonly token: Buffer; readonly usableMs: number },
): Promise<void> {
  await database.query({
    text: `UPDATE app_token SET token = $3, usable_until = clock_timestamp() + make_interval(secs => $4::float8 / 1000),
        version = version + 1, lease_owner = NULL, lease_until = NULL
      WHERE app_id = $1 AND lease_owner = $2`,
    values: [kept.appId, kept.owner, kept.token, kept.usableMs],
  });
}

/** Ends a lease without a token, so that the next one need not wait for its end. */
export async function leaveAppToken(database: Database, appId: string, owner: string): Promise<void> {
  await database.query({
    text: 'UPDATE app_token SET lease_owner = NULL, lease_until = NULL WHERE app_id = $1 AND lease_owner = $2',
    values: [appId, owner],
  });
}
