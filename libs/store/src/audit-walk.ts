import type { AuditedEntry, Leaf } from './audit-digest.js';
import { auditedColumns, erasedType } from './audit-seals.js';
import type { Database } from './database.js';

/** One entry of a seal: what was sealed of it, and the row as it is now. */
export interface SealedEntry extends Leaf {
  readonly entityId: string;
  readonly seq: number;
  readonly previous: Buffer;
  readonly hash: Buffer;
  readonly sealedAt: string;
  readonly salt: string | null;
  /** It stands in an earlier seal already. */
  readonly isAgain: boolean;
  /** No later seal holds it. */
  readonly isNewest: boolean;
  /** An erasure sealed together with it says that it changed this entry. */
  readonly isByErasure: boolean;
  readonly row: AuditedEntry | null;
}

interface Row extends Record<string, unknown> {
  seq: number;
  previous: Buffer;
  hash: Buffer;
  sealed_at: string;
  journal_id: number;
  fixed: Buffer | null;
  personal: Buffer | null;
  salt: string | null;
  is_again: boolean;
  is_newest: boolean;
  is_by_erasure: boolean;
  is_being_erased: boolean;
}

/** Seals and entries of one look: a statement of some 20 ms. */
const sealsPerPage = 200;
const entriesPerPage = 1_000;

const entryColumns = `p.seq, p.previous, p.hash, to_char(p.sealed_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS sealed_at,
  member.journal_id, leaf.fixed, leaf.personal, leaf.salt, ${auditedColumns},
  EXISTS (SELECT FROM audit_leaf o WHERE o.journal_id = member.journal_id AND o.seq < p.seq) AS is_again,
  NOT EXISTS (SELECT FROM audit_leaf o WHERE o.journal_id = member.journal_id AND o.seq > p.seq) AS is_newest,
  EXISTS (SELECT FROM audit_leaf o WHERE o.journal_id = member.journal_id AND o.seq < p.seq)
    AND EXISTS (SELECT FROM journal e JOIN erasure r ON r.user_id = e.user_id
      WHERE e.id = ANY (p.journal_ids) AND e.type = '${erasedType}' AND r.redacted @> ARRAY[member.journal_id]) AS is_by_erasure`;

const joins = `CROSS JOIN LATERAL unnest(p.journal_ids) WITH ORDINALITY member (journal_id, n)
  LEFT JOIN LATERAL (SELECT * FROM audit_leaf a WHERE a.journal_id = member.journal_id AND a.seq = p.seq LIMIT 1) leaf ON true
  LEFT JOIN LATERAL (SELECT * FROM journal WHERE journal.id = member.journal_id LIMIT 1) j ON true`;

/** The next seals of a chain, entry by entry, in order; empty at its end. */
export async function readSeals(database: Database, entityId: string, afterSeq: number): Promise<SealedEntry[][]> {
  const rows = await database.query<Row>({
    text: `WITH p AS MATERIALIZED (
        SELECT * FROM (SELECT s.*, sum(cardinality(s.journal_ids)) OVER (ORDER BY s.seq) - cardinality(s.journal_ids) AS ahead
          FROM (SELECT * FROM audit_seal WHERE entity_id = $1 AND seq > $2 ORDER BY seq LIMIT $3) s) counted
        WHERE ahead < $4)
      SELECT ${entryColumns}, false AS is_being_erased FROM p ${joins} ORDER BY p.seq, member.n`,
    values: [entityId, afterSeq, sealsPerPage, entriesPerPage],
  });
  const seals: SealedEntry[][] = [];
  for (const row of rows) {
    const current = seals.at(-1);
    if (current?.[0]?.seq === row.seq) current.push(entryOf(entityId, row));
    else seals.push([entryOf(entityId, row)]);
  }
  return seals;
}

/** The entry once more, and whether an erasure that is not sealed yet has changed it: all of one moment. */
export async function readSealedEntry(
  database: Database,
  { entityId, seq, journalId }: SealedEntry,
): Promise<(SealedEntry & { readonly isBeingErased: boolean }) | null> {
  const [row] = await database.query<Row>({
    text: `SELECT ${entryColumns}, EXISTS (SELECT FROM erasure r WHERE r.redacted @> ARRAY[member.journal_id]
          AND NOT EXISTS (SELECT FROM journal e JOIN audit_leaf o ON o.journal_id = e.id
            WHERE e.user_id = r.user_id AND e.type = '${erasedType}')) AS is_being_erased
      FROM (SELECT * FROM audit_seal WHERE entity_id = $1 AND seq = $2) p ${joins} WHERE member.journal_id = $3 LIMIT 1`,
    values: [entityId, seq, journalId],
  });
  return row === undefined ? null : { ...entryOf(entityId, row), isBeingErased: row.is_being_erased };
}

function entryOf(entityId: string, row: Row): SealedEntry {
  const found = row as unknown as AuditedEntry & { readonly id: number | null };
  return {
    entityId,
    seq: row.seq,
    previous: row.previous,
    hash: row.hash,
    sealedAt: row.sealed_at,
    journalId: row.journal_id,
    fixed: row.fixed ?? Buffer.alloc(0),
    personal: row.personal ?? Buffer.alloc(0),
    salt: row.salt,
    isAgain: row.is_again,
    isNewest: row.is_newest,
    isByErasure: row.is_by_erasure,
    row: found.id === null ? null : found,
  };
}
