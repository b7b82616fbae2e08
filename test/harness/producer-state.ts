/** One record batch as a producer numbered it. */
export interface NumberedBatch {
  /** -1: not idempotent, nothing is checked. */
  readonly producerId: bigint;
  readonly epoch: number;
  readonly firstSequence: number;
  readonly count: number;
}

/** Kafka's error codes. */
export const wireErrors = {
  none: 0,
  unknownTopicOrPartition: 3,
  notLeader: 6,
  outOfOrderSequence: 45,
  invalidProducerEpoch: 47,
} as const;

export type Verdict =
  | { readonly kind: 'append' }
  /** It is stored already, at this offset: acknowledged and not appended. */
  | { readonly kind: 'duplicate'; readonly offset: bigint }
  | { readonly kind: 'refused'; readonly errorCode: number };

interface Kept {
  readonly firstSequence: number;
  readonly lastSequence: number;
  readonly offset: bigint;
}

interface Entry {
  epoch: number;
  /** The last five, as a broker keeps them: so many a producer may have in flight. */
  batches: Kept[];
}

const keptMax = 5;
const sequenceMax = 2_147_483_647;

/**
 * What one partition remembers of its producers, after Kafka's ProducerStateManager and ProducerAppendInfo. The broker
 * looks at numbers and never at content, so a different batch under numbers it knows is acknowledged and not stored.
 */
export class ProducerState {
  private readonly entries = new Map<bigint, Entry>();

  judge({ producerId, epoch, firstSequence, count }: NumberedBatch): Verdict {
    const entry = this.entries.get(producerId);
    if (producerId < 0n || entry === undefined) return { kind: 'append' };
    const lastSequence = lastOf(firstSequence, count);
    if (entry.epoch === epoch) {
      const known = entry.batches.find(
        (kept) => kept.firstSequence === firstSequence && kept.lastSequence === lastSequence,
      );
      if (known !== undefined) return { kind: 'duplicate', offset: known.offset };
    }
    if (epoch < entry.epoch) return { kind: 'refused', errorCode: wireErrors.invalidProducerEpoch };
    const expected = epoch > entry.epoch ? 0 : nextAfter(entry.batches.at(-1)?.lastSequence ?? -1);
    if (firstSequence !== expected) return { kind: 'refused', errorCode: wireErrors.outOfOrderSequence };
    return { kind: 'append' };
  }

  /** After `judge` said so. */
  appended({ producerId, epoch, firstSequence, count }: NumberedBatch, offset: bigint): void {
    if (producerId < 0n) return;
    const entry = this.entries.get(producerId) ?? { epoch, batches: [] };
    if (entry.epoch !== epoch) entry.batches = [];
    entry.epoch = epoch;
    entry.batches = [...entry.batches, { firstSequence, lastSequence: lastOf(firstSequence, count), offset }].slice(
      -keptMax,
    );
    this.entries.set(producerId, entry);
  }
}

const lastOf = (first: number, count: number): number => Number((BigInt(first) + BigInt(count) - 1n) % 2n ** 31n);
const nextAfter = (sequence: number): number => (sequence === sequenceMax ? 0 : sequence + 1);
