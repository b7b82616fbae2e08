import type { Database } from './database.js';

/** A column that holds what is sealed with SECRETS_KEY; each with the key of its row. */
export const sealedColumns = [
  { table: 'app', column: 'app_secret', key: 'id' },
  { table: 'app', column: 'push_token', key: 'id' },
  { table: 'app', column: 'push_aes_key', key: 'id' },
  { table: 'app_token', column: 'token', key: 'app_id' },
  { table: 'signing_key', column: 'private_key', key: 'kid' },
  { table: 'installation', column: 'pepper', key: 'id' },
] as const;
export type SealedColumn = (typeof sealedColumns)[number];

export interface SealedValue {
  readonly key: string;
  readonly sealed: Buffer;
}

/** In the order of their keys. */
export function readSealed(
  database: Database,
  { table, column, key }: SealedColumn,
  page: { readonly after: string | null; readonly limit: number },
): Promise<SealedValue[]> {
  return database.query<SealedValue & Record<string, unknown>>({
    text: `SELECT ${key}::text AS key, ${column} AS sealed FROM ${table}
      WHERE ${column} IS NOT NULL AND ($1::text IS NULL OR ${key}::text COLLATE "C" > $1)
      ORDER BY ${key}::text COLLATE "C" LIMIT $2`,
    values: [page.after, page.limit],
  });
}

/** Null: nothing is sealed there (any more). */
export async function readOneSealed(
  database: Database,
  { table, column, key }: SealedColumn,
  of: string,
): Promise<Buffer | null> {
  const [row] = await database.query<{ sealed: Buffer | null }>({
    text: `SELECT ${column} AS sealed FROM ${table} WHERE ${key}::text = $1`,
    values: [of],
  });
  return row?.sealed ?? null;
}

/** False: somebody changed it meanwhile, and theirs stays. */
export async function replaceSealed(
  database: Database,
  { table, column, key }: SealedColumn,
  value: SealedValue & { readonly by: Buffer },
): Promise<boolean> {
  const rows = await database.query({
    text: `UPDATE ${table} SET ${column} = $3 WHERE ${key}::text = $1 AND ${column} = $2 RETURNING 1`,
    values: [value.key, value.sealed, value.by],
  });
  return rows.length > 0;
}
