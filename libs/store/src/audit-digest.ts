import { createHash } from 'node:crypto';

/**
 * One entry of the journal as it is sealed. What an erasure may empty stands apart: `data`, `evidence` and `reason`, as
 * stored, to the byte.
 */
export interface AuditedEntry {
  readonly id: number;
  /** RFC 3339, UTC, milliseconds. */
  readonly time: string;
  readonly entityId: string;
  readonly shard: number;
  readonly userId: string | null;
  readonly version: number | null;
  readonly key: string;
  readonly type: string;
  readonly eventId: string;
  readonly cause: string;
  readonly requestId: string | null;
  readonly traceparent: string | null;
  readonly actor: string;
  readonly data: string;
  readonly evidence: string | null;
  readonly reason: string | null;
}

export interface Leaf {
  readonly journalId: number;
  readonly fixed: Buffer;
  readonly personal: Buffer;
}

export interface SealContent {
  readonly entityId: string;
  readonly seq: number;
  readonly sealedAt: string;
  readonly previous: Buffer;
  readonly leaves: readonly Leaf[];
}

/** In front of an entity's first seal. */
export const noSeal: Buffer = Buffer.alloc(32);

export function fixedDigest(entry: AuditedEntry): Buffer {
  return digest([
    String(entry.id),
    entry.time,
    entry.entityId,
    String(entry.shard),
    entry.userId,
    entry.version === null ? null : String(entry.version),
    entry.key,
    entry.type,
    entry.eventId,
    entry.cause,
    entry.requestId,
    entry.traceparent,
    entry.actor,
  ]);
}

/**
 * Salted, because an erasure empties the entry and leaves this digest in the chain. Without a salt, whoever has an openId
 * and the other fields at hand could still confirm by it that the person had been here. Keyed with a secret of the
 * installation instead, it would stay personal for as long as the secret lives; a salt of its own dies with the erasure.
 */
export function personalDigest(entry: Pick<AuditedEntry, 'data' | 'evidence' | 'reason'>, salt: string): Buffer {
  return digest([salt, entry.data, entry.evidence, entry.reason]);
}

export function sealHash({ entityId, seq, sealedAt, previous, leaves }: SealContent): Buffer {
  const parts = leaves.flatMap(({ journalId, fixed, personal }) => [
    String(journalId),
    fixed.toString('hex'),
    personal.toString('hex'),
  ]);
  return digest([entityId, String(seq), sealedAt, previous.toString('hex'), ...parts]);
}

/** SHA-256 over parts with their lengths in front: no two lists of parts give the same bytes. */
function digest(parts: readonly (string | null)[]): Buffer {
  const hash = createHash('sha256');
  for (const part of parts) {
    if (part === null) hash.update('-;');
    else hash.update(`${Buffer.byteLength(part)}:`).update(part);
  }
  return hash.digest();
}
