import type { Database, Transaction } from './database.js';

/** What an operator or an admin did. Never a secret in it. */
export interface Deed {
  /** Null: it concerns no single entity. */
  readonly entityId: string | null;
  readonly actor: string;
  readonly requestId: string | null;
  readonly action: string;
  /** What it was done to. */
  readonly subject: string;
  readonly details: object;
}

export interface DeedRow extends Deed {
  readonly id: number;
  readonly at: Date;
}

export interface DeedFilter {
  /** Null: every entity's, and those of none. */
  readonly entityId: string | null;
  readonly action: string | null;
  readonly actor: string | null;
  readonly subject: string | null;
  readonly from: Date | null;
  readonly to: Date | null;
}

/** In the transaction of the deed: there is none without it, and it is not there where the deed was undone. */
export async function recordDeed(transaction: Transaction, deed: Deed): Promise<void> {
  await transaction.query({
    name: 'record-deed',
    text: `INSERT INTO admin_audit (entity_id, actor, action, subject, request_id, details) VALUES ($1, $2, $3, $4, $5, $6)`,
    values: [deed.entityId, deed.actor, deed.action, deed.subject, deed.requestId, JSON.stringify(deed.details)],
  });
}

/** Newest first; `after` is the id to go on below. */
export function readDeeds(
  database: Database,
  filter: DeedFilter,
  page: { readonly after: number | null; readonly limit: number },
): Promise<DeedRow[]> {
  return database.query<DeedRow & Record<string, unknown>>({
    text: `SELECT id, at, entity_id AS "entityId", actor, action, subject, request_id AS "requestId", details
      FROM admin_audit
      WHERE ($1::text IS NULL OR entity_id = $1) AND ($2::text IS NULL OR action = $2) AND ($3::text IS NULL OR actor = $3)
        AND ($4::text IS NULL OR subject = $4) AND ($5::timestamptz IS NULL OR at >= $5)
        AND ($6::timestamptz IS NULL OR at < $6) AND ($7::bigint IS NULL OR id < $7)
      ORDER BY id DESC LIMIT $8`,
    values: [
      filter.entityId,
      filter.action,
      filter.actor,
      filter.subject,
      filter.from,
      filter.to,
      page.after,
      page.limit,
    ],
  });
}
