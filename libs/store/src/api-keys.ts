import type { Database, Transaction } from './database.js';

export interface ApiKeyRow {
  readonly id: string;
  readonly entityId: string | null;
  readonly name: string;
  readonly prefix: string;
  readonly scopes: string[];
  readonly createdAt: Date;
  readonly expiresAt: Date | null;
  readonly lastUsedAt: Date | null;
  /** Whose own key it is; null: nobody's. */
  readonly participant: string | null;
}

export interface NewApiKey {
  readonly id: string;
  readonly entityId: string | null;
  readonly name: string;
  readonly prefix: string;
  readonly hash: Buffer;
  readonly scopes: readonly string[];
  readonly expiresAt: Date | null;
  /** The key it takes over from. */
  readonly replaces: string | null;
  readonly participant: string | null;
}

const shown = `id, entity_id AS "entityId", name, prefix, scopes, created_at AS "createdAt", expires_at AS "expiresAt",
  last_used_at AS "lastUsedAt", participant`;

export async function addApiKey(transaction: Transaction, key: NewApiKey): Promise<ApiKeyRow> {
  const [row] = await transaction.query<ApiKeyRow & Record<string, unknown>>({
    text: `INSERT INTO api_key (id, entity_id, name, prefix, hash, scopes, expires_at, replaces, participant)
      VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING ${shown}`,
    values: [
      key.id,
      key.entityId,
      key.name,
      key.prefix,
      key.hash,
      key.scopes,
      key.expiresAt,
      key.replaces,
      key.participant,
    ],
  });
  if (row === undefined) throw new Error('an insert answers its row');
  return row;
}

/** Not those that are revoked. `prefix`: how the key begins, as it turned up in a log. */
export function listApiKeys(
  database: Database,
  query: {
    readonly entityId: string | null;
    readonly prefix: string | null;
    readonly after: string | null;
    readonly limit: number;
  },
): Promise<ApiKeyRow[]> {
  return database.query<ApiKeyRow & Record<string, unknown>>({
    text: `SELECT ${shown} FROM api_key
      WHERE revoked_at IS NULL AND ($1::text IS NULL OR entity_id = $1) AND ($2::text IS NULL OR prefix ^@ $2)
        AND ($3::uuid IS NULL OR id > $3)
      ORDER BY id LIMIT $4`,
    values: [query.entityId, query.prefix, query.after, query.limit],
  });
}

/** A key that counts, locked, with the one that took over from it; null: there is none. */
export async function lockApiKey(
  transaction: Transaction,
  id: string,
  entityId: string | null,
): Promise<(ApiKeyRow & { readonly replacedBy: string | null }) | null> {
  const [row] = await transaction.query<ApiKeyRow & { replacedBy: string | null } & Record<string, unknown>>({
    text: `SELECT ${shown}, (SELECT n.id FROM api_key n WHERE n.replaces = k.id) AS "replacedBy" FROM api_key k
      WHERE id = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > clock_timestamp())
        AND ($2::text IS NULL OR entity_id = $2) FOR UPDATE`,
    values: [id, entityId],
  });
  return row ?? null;
}

/** Lets a key end in so many seconds, unless it ends earlier by itself. Answers when. */
export async function endApiKey(transaction: Transaction, id: string, inSeconds: number): Promise<Date> {
  const [row] = await transaction.query<{ ends: Date }>({
    text: `UPDATE api_key SET expires_at = least(expires_at, clock_timestamp() + make_interval(secs => $2))
      WHERE id = $1 RETURNING expires_at AS ends`,
    values: [id, inSeconds],
  });
  if (row === undefined) throw new Error('the key that is locked is there');
  return row.ends;
}

/** Null: no such key, or it is revoked already. */
export async function revokeApiKey(
  transaction: Transaction,
  id: string,
  entityId: string | null,
): Promise<ApiKeyRow | null> {
  const [row] = await transaction.query<ApiKeyRow & Record<string, unknown>>({
    text: `UPDATE api_key SET revoked_at = clock_timestamp()
      WHERE id = $1 AND revoked_at IS NULL AND ($2::text IS NULL OR entity_id = $2) RETURNING ${shown}`,
    values: [id, entityId],
  });
  return row ?? null;
}

/** Is there a key that counts and is this participant's own? */
export async function hasOwnKey(database: Database, entityId: string, participant: string): Promise<boolean> {
  const rows = await database.query({
    name: 'has-own-key',
    text: `SELECT 1 FROM api_key WHERE entity_id = $1 AND participant = $2 AND revoked_at IS NULL
      AND (expires_at IS NULL OR expires_at > clock_timestamp()) LIMIT 1`,
    values: [entityId, participant],
  });
  return rows.length > 0;
}
