import type { Transaction } from './database.js';

export interface NamedRow {
  readonly id: string;
  readonly name: string;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

export interface PutNamed {
  readonly created: boolean;
  /** Null where it is new. */
  readonly formerName: string | null;
  readonly value: NamedRow;
}

const shown = 'id, name, created_at AS "createdAt", updated_at AS "updatedAt", (xmax = 0) AS created';

/** Create, else change: a race for the same new id ends as one creation and one change. */
export async function putEntity(
  transaction: Transaction,
  { id, name }: { readonly id: string; readonly name: string },
): Promise<PutNamed> {
  const [former] = await transaction.query<{ name: string }>({
    text: 'SELECT name FROM entity WHERE id = $1 FOR NO KEY UPDATE',
    values: [id],
  });
  const [row] = await transaction.query<NamedRow & { created: boolean }>({
    text: `INSERT INTO entity (id, name) VALUES ($1, $2)
      ON CONFLICT (id) DO UPDATE SET name = excluded.name, updated_at = clock_timestamp() RETURNING ${shown}`,
    values: [id, name],
  });
  return asPut(row, former);
}

export async function putOpenPlatform(
  transaction: Transaction,
  { entityId, id, name }: { readonly entityId: string; readonly id: string; readonly name: string },
): Promise<PutNamed> {
  const [former] = await transaction.query<{ name: string }>({
    text: 'SELECT name FROM open_platform WHERE entity_id = $1 AND id = $2 FOR NO KEY UPDATE',
    values: [entityId, id],
  });
  const [row] = await transaction.query<NamedRow & { created: boolean }>({
    text: `INSERT INTO open_platform (entity_id, id, name) VALUES ($1, $2, $3)
      ON CONFLICT (entity_id, id) DO UPDATE SET name = excluded.name, updated_at = clock_timestamp() RETURNING ${shown}`,
    values: [entityId, id, name],
  });
  return asPut(row, former);
}

function asPut(
  row: (NamedRow & { readonly created: boolean }) | undefined,
  former?: { readonly name: string },
): PutNamed {
  if (row === undefined) throw new Error('an upsert answers its row');
  const { created, ...value } = row;
  return { created, formerName: former?.name ?? null, value };
}
