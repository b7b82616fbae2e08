import { randomUUID } from 'node:crypto';
import type { AuditedEntry, Leaf } from './audit-digest.js';
import { fixedDigest, noSeal, personalDigest, sealHash } from './audit-digest.js';
import type { Database, Transaction } from './database.js';
import type { Portion } from './journal.js';
import { readPortion } from './journal.js';
import type { SnapshotCursor } from './journal-cursor.js';
import { decodeCursor, encodeCursor, journalStart } from './journal-cursor.js';
import { incarnationSql } from './journal-sql.js';

/** Entries of one seal at most, and of one transaction of the sealer. */
const sealMax = 500;

export const erasedType = 'identity.UserErased.v1';

/** Columns of AuditedEntry, of a journal row called `j`. */
export const auditedColumns = `j.id, to_char(j.recorded_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS time,
  j.entity_id AS "entityId", j.shard, j.user_id AS "userId", j.version, j.key, j.type, j.event_id AS "eventId", j.cause,
  j.request_id AS "requestId", j.traceparent, j.actor, j.data::text AS data, j.evidence::text AS evidence, j.reason`;

/** What is committed and not sealed yet, with the place it was read from. */
export interface Unsealed {
  readonly place: string | null;
  readonly portion: Portion;
  /** Inside a portion that was begun before there may be nothing, and more behind it: then the place moves all the same. */
  readonly isNothingLeft: boolean;
}

export async function readSealPlace(database: Database): Promise<{ text: string | null; cursor: SnapshotCursor }> {
  const [row] = await database.query<{ cursor: string | null }>({
    name: 'audit-place',
    text: 'SELECT cursor FROM audit_place',
  });
  const text = row?.cursor ?? null;
  const cursor = text === null ? journalStart : decodeCursor(text);
  if (cursor === null) throw new Error('audit_place holds a cursor that nobody wrote');
  // Made durable by its commit: it holds whatever the server has been through since.
  return { text, cursor: { ...cursor, incarnation: 0 } };
}

export async function readUnsealed(database: Database): Promise<Unsealed> {
  const { text, cursor } = await readSealPlace(database);
  const portion = await readPortion(database, { cursor, filter: null, limit: sealMax });
  return { place: text, portion, isNothingLeft: cursor.upto === null && portion.isEnd && portion.rows.length === 0 };
}

/**
 * Seals a portion and moves the place behind it, in one transaction: killed in the middle, neither has happened. Answers
 * how many entries it sealed; 0 where somebody else sealed them meanwhile.
 */
export function appendSeals(database: Database, { place, portion }: Unsealed): Promise<number> {
  return database.transaction(async (transaction) => {
    // Two sealers wait for each other here, whatever became of their leases; the second finds the place moved.
    const [mine] = await transaction.query({
      text: `SELECT FROM audit_place WHERE cursor IS NOT DISTINCT FROM $1 AND ${incarnationSql} = $2 FOR UPDATE`,
      values: [place, portion.next.incarnation],
    });
    if (mine === undefined) return 0;
    const ids = portion.rows.map(({ id }) => id);
    const again = await readRedacted(transaction, portion);
    const entries = await readEntries(transaction, [...ids, ...again.filter((id) => !ids.includes(id))]);
    for (const entityId of new Set(entries.map((entry) => entry.entityId))) {
      const ofEntity = entries.filter((entry) => entry.entityId === entityId);
      await appendSeal(transaction, entityId, ofEntity);
    }
    // The erasure took away the salts it found; one that was drawn while it ran goes now.
    await transaction.query({
      text: `UPDATE audit_leaf l SET salt = NULL WHERE l.journal_id = ANY ($1) AND l.salt IS NOT NULL
        AND EXISTS (SELECT FROM audit_leaf newer WHERE newer.journal_id = l.journal_id AND newer.seq > l.seq)`,
      values: [again],
    });
    await transaction.query({ text: 'UPDATE audit_place SET cursor = $1', values: [encodeCursor(portion.next)] });
    return entries.length;
  });
}

/** What the erasures of this portion changed: sealed again, so that nobody may change it once more unseen. */
async function readRedacted(transaction: Transaction, { rows }: Portion): Promise<number[]> {
  const erased = rows.filter(({ type }) => type === erasedType).map(({ userId }) => userId);
  if (erased.length === 0) return [];
  const found = await transaction.query<{ id: number }>({
    text: 'SELECT DISTINCT unnest(redacted) AS id FROM erasure WHERE user_id = ANY ($1) ORDER BY id',
    values: [erased],
  });
  return found.map(({ id }) => id);
}

/** In the order asked. */
async function readEntries(transaction: Transaction, ids: readonly number[]): Promise<AuditedEntry[]> {
  return transaction.query<AuditedEntry & Record<string, unknown>>({
    text: `SELECT ${auditedColumns} FROM unnest($1::bigint[]) WITH ORDINALITY wanted (id, n)
      CROSS JOIN LATERAL (SELECT * FROM journal WHERE journal.id = wanted.id LIMIT 1) j ORDER BY wanted.n`,
    values: [ids],
  });
}

async function appendSeal(transaction: Transaction, entityId: string, entries: readonly AuditedEntry[]): Promise<void> {
  const [head] = await transaction.query<{ seq: number; hash: Buffer; now: Date }>({
    text: `SELECT coalesce(s.seq, 0) AS seq, coalesce(s.hash, $2) AS hash, clock_timestamp() AS now
      FROM (SELECT) one LEFT JOIN LATERAL (
        SELECT seq, hash FROM audit_seal WHERE entity_id = $1 ORDER BY seq DESC LIMIT 1) s ON true`,
    values: [entityId, noSeal],
  });
  if (head === undefined) throw new Error('one row was asked for');
  const seq = head.seq + 1;
  const sealedAt = head.now.toISOString();
  const salts = entries.map(() => randomUUID());
  const leaves: Leaf[] = entries.map((entry, index) => ({
    journalId: entry.id,
    fixed: fixedDigest(entry),
    personal: personalDigest(entry, salts[index] ?? ''),
  }));
  const hash = sealHash({ entityId, seq, sealedAt, previous: head.hash, leaves });
  const ids = leaves.map(({ journalId }) => journalId);
  await transaction.query({
    text: `INSERT INTO audit_leaf (journal_id, seq, fixed, personal, salt)
      SELECT id, $1, fixed, personal, salt FROM unnest($2::bigint[], $3::bytea[], $4::bytea[], $5::uuid[]) l (id, fixed, personal, salt)`,
    values: [seq, ids, leaves.map(({ fixed }) => fixed), leaves.map(({ personal }) => personal), salts],
  });
  await transaction.query({
    text: `INSERT INTO audit_seal (entity_id, seq, journal_ids, previous, hash, sealed_at) VALUES ($1, $2, $3, $4, $5, $6)`,
    values: [entityId, seq, ids, head.hash, hash, sealedAt],
  });
}
