import type { Database, Transaction } from './database.js';

export interface SigningKeyRow {
  readonly kid: string;
  /** Sealed. */
  readonly private_key: Buffer;
  readonly public_jwk: Record<string, unknown>;
  /** By the database's clock, which is the same for every replica; below 0: it has begun. */
  readonly signs_in_ms: number;
  readonly age_seconds: number;
}

export interface NewSigningKey {
  readonly kid: string;
  readonly sealed: Buffer;
  readonly publicJwk: object;
}

/** The newest in the line first; those that no living token can be signed with are left out. */
export function readSigningKeys(database: Database, shownAfterRetiringSeconds: number): Promise<SigningKeyRow[]> {
  return database.query<SigningKeyRow & Record<string, unknown>>({
    name: 'read-signing-keys',
    text: `SELECT kid, private_key, public_jwk,
        (extract(epoch FROM signs_from - clock_timestamp()) * 1000)::float8 AS signs_in_ms,
        extract(epoch FROM clock_timestamp() - signs_from)::float8 AS age_seconds
      FROM signing_key
      WHERE retired_at IS NULL OR retired_at > clock_timestamp() - make_interval(secs => $1)
      ORDER BY signs_from DESC, kid DESC`,
    values: [shownAfterRetiringSeconds],
  });
}

/** Two replicas may both make the first one; the unique index keeps one. */
export async function addFirstSigningKey(database: Database, key: NewSigningKey): Promise<void> {
  await database.query({
    text: 'INSERT INTO signing_key (kid, private_key, public_jwk) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING',
    values: [key.kid, key.sealed, JSON.stringify(key.publicJwk)],
  });
}

/**
 * Puts a successor behind the last in the line, to sign in so many seconds. False: the last one has not begun to sign yet,
 * or somebody was quicker; its row lock orders rotations.
 */
export async function addNextSigningKey(
  transaction: Transaction,
  key: NewSigningKey,
  signsInSeconds: number,
): Promise<boolean> {
  const [last] = await transaction.query<{ begins: Date }>({
    text: `UPDATE signing_key SET retired_at = clock_timestamp() + make_interval(secs => $1)
      WHERE retired_at IS NULL AND signs_from <= clock_timestamp() RETURNING retired_at AS begins`,
    values: [signsInSeconds],
  });
  if (last === undefined) return false;
  await transaction.query({
    text: 'INSERT INTO signing_key (kid, private_key, public_jwk, signs_from) VALUES ($1, $2, $3, $4)',
    values: [key.kid, key.sealed, JSON.stringify(key.publicJwk), last.begins],
  });
  return true;
}

/** A private key outlives its last token by nothing: what is not published any more is destroyed. */
export async function dropSpentSigningKeys(database: Database, shownAfterRetiringSeconds: number): Promise<number> {
  const rows = await database.query({
    text: `DELETE FROM signing_key WHERE retired_at < clock_timestamp() - make_interval(secs => $1) RETURNING 1`,
    values: [shownAfterRetiringSeconds],
  });
  return rows.length;
}

/** Takes a key that has a successor out of the published ones at once: every token it signed is void. */
export async function withdrawSigningKey(transaction: Transaction, kid: string): Promise<boolean> {
  const rows = await transaction.query({
    text: 'DELETE FROM signing_key WHERE kid = $1 AND retired_at <= clock_timestamp() RETURNING 1',
    values: [kid],
  });
  return rows.length > 0;
}
