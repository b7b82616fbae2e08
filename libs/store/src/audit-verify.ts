import { setTimeout as delay } from 'node:timers/promises';
import type { AuditedEntry } from './audit-digest.js';
import { fixedDigest, noSeal, personalDigest, sealHash } from './audit-digest.js';
import { findUnsealed } from './audit-unsealed.js';
import type { SealedEntry } from './audit-walk.js';
import { readSealedEntry, readSeals } from './audit-walk.js';
import type { Database } from './database.js';

/** The first thing that is not as it was sealed. */
export interface SealBreak {
  readonly entityId: string;
  /** Null: the entry stands in no seal. */
  readonly seq: number | null;
  /** Null: the seal itself. */
  readonly journalId: number | null;
  readonly what: string;
}

/** How far a chain was walked, and what its last seal so far is. */
export interface SealProgress {
  readonly entityId: string;
  readonly seals: number;
  readonly entries: number;
  readonly head: { readonly seq: number; readonly hash: string };
}

export interface VerifyOptions {
  readonly entityId: string;
  /** A head written down elsewhere: without one, whoever may write every table can also make a new chain. */
  readonly expected: { readonly seq: number; readonly hash: string } | null;
  readonly pauseMs: number;
}

/** Longer than a transaction can last: what is stamped that much before entries sealed earlier was not written then. */
const lateMaxMs = 10 * 60_000;

/**
 * Walks the chain of one entity from its first seal, in pages and without a lock, while it grows. Yields progress and
 * returns the first broken link, or null.
 */
export async function* verifySeals(
  database: Database,
  { entityId, expected, pauseMs }: VerifyOptions,
): AsyncGenerator<SealProgress, SealBreak | null> {
  let progress: SealProgress = { entityId, seals: 0, entries: 0, head: { seq: 0, hash: noSeal.toString('hex') } };
  const broken = (seq: number | null, journalId: number | null, what: string): SealBreak => ({
    entityId,
    seq,
    journalId,
    what,
  });
  let newestMs = 0;
  for (;;) {
    const seals = await readSeals(database, entityId, progress.head.seq);
    for (const seal of seals) {
      const [first] = seal;
      if (first === undefined) throw new Error('a seal holds an entry');
      const seq = progress.head.seq + 1;
      if (first.seq !== seq) return broken(seq, null, 'the seal is missing');
      if (first.previous.toString('hex') !== progress.head.hash)
        return broken(seq, null, 'it does not follow the seal before it');
      for (const entry of seal) {
        const what = await whatDiffers(database, entry, newestMs);
        if (what !== null) return broken(seq, entry.journalId, what);
      }
      const hash = sealHash({ ...first, leaves: seal }).toString('hex');
      if (hash !== first.hash.toString('hex'))
        return broken(seq, null, 'its list of entries, its digests or its time were changed');
      if (expected?.seq === seq && expected.hash !== hash)
        return broken(seq, null, 'it is not the seal that was written down');
      const { seals: walked, entries } = progress;
      progress = { entityId, seals: walked + 1, entries: entries + seal.length, head: { seq, hash } };
      newestMs = Math.max(newestMs, ...seal.map(({ row }) => Date.parse(row?.time ?? '')));
    }
    yield progress;
    if (seals.length === 0) break;
    await delay(pauseMs);
  }
  if (expected !== null && expected.seq > progress.head.seq) return broken(expected.seq, null, 'the seal is missing');
  const unsealed = await findUnsealed(database, entityId, pauseMs);
  return unsealed === null
    ? null
    : broken(null, unsealed, 'the sealer is past it and it stands in no seal: it was put in, or its seal taken away');
}

/** Null: the entry is as it was sealed, or changed by an erasure that is about to be sealed. */
async function whatDiffers(database: Database, entry: SealedEntry, newestMs: number): Promise<string | null> {
  const what = judge(entry, newestMs);
  if (what !== contentDiffers) return what;
  // An erasure may have come between its change and its seal; a second look, in which all of it is of one moment, knows.
  const again = await readSealedEntry(database, entry);
  if (again === null || again.isBeingErased) return null;
  return judge(again, newestMs);
}

const contentDiffers = 'its data, evidence or reason are not what was sealed';

function judge(entry: SealedEntry, newestMs: number): string | null {
  const { row } = entry;
  if (entry.fixed.length === 0) return 'its digests are missing';
  if (row === null) return 'the entry is gone';
  if (!fixedDigest(row).equals(entry.fixed))
    return 'its time, user, version, type, event, cause or actor are not what was sealed';
  if (entry.isAgain && !entry.isByErasure) return 'it was sealed again, and no erasure of that seal changed it';
  if (!entry.isAgain && Date.parse(row.time) < newestMs - lateMaxMs)
    return `it is stamped ${row.time}, long before what was sealed earlier: it was put in afterwards`;
  // Of what an erasure has changed since, only the newest digest can still be compared.
  return entry.isNewest && !isContentKept(entry, row) ? contentDiffers : null;
}

function isContentKept(entry: SealedEntry, row: AuditedEntry): boolean {
  return entry.salt !== null && personalDigest(row, entry.salt).equals(entry.personal);
}
