import type { FieldError } from '#identity';
import { Refusal } from '#identity';
import { isDataFault } from '#store';
import type { Inbox, InboundRecord, Letter, Reason, Work } from './inbox.js';
import { detailMax, Unreadable } from './inbox.js';
import { wavesOf } from './waves.js';

export interface Pace {
  /** Called when something has to be tried again later; resolves when it is time. Rejects: nothing more may be done. */
  later(why: unknown): Promise<void>;
  /** A fault of ours, or of the data in a way that nobody foresaw. */
  fault(why: unknown): void;
}

/** A fault that comes back so often is not a matter of the moment: the record is put aside, the others go on. */
const faultsMax = 5;

interface Readable {
  readonly record: InboundRecord;
  readonly work: Work;
  readonly keys: readonly string[];
  faults: number;
}

/**
 * Applies records in the order of their keys, and answers those that cannot be. When it resolves, everything else has had
 * its effect. What fails for the moment is waited for: nothing that comes after it on its key overtakes it.
 */
export async function settle(records: readonly InboundRecord[], inbox: Inbox, pace: Pace): Promise<Letter[]> {
  const letters: Letter[] = [];
  const readable: Readable[] = [];
  for (const record of records) {
    try {
      const work = inbox.read(record);
      readable.push({ record, work, keys: work.keys, faults: 0 });
    } catch (error) {
      letters.push({ record, reason: reasonOf(error) ?? faultOf(error, pace) });
    }
  }
  for (const wave of wavesOf(readable)) letters.push(...(await settleWave(wave, pace)));
  return letters.toSorted((a, b) => Number(BigInt(a.record.offset) - BigInt(b.record.offset)));
}

async function settleWave(wave: readonly Readable[], pace: Pace): Promise<Letter[]> {
  const letters: Letter[] = [];
  for (let left = wave; left.length > 0;) {
    const failures = await Promise.all(left.map(attempt));
    const again: Readable[] = [];
    let why: unknown;
    for (const { item, error } of failures.filter((failure) => failure !== null)) {
      const reason = reasonOf(error) ?? finalFault(item, error, pace);
      if (reason !== null) letters.push({ record: item.record, reason });
      else {
        again.push(item);
        why = error;
      }
    }
    left = again;
    if (left.length > 0) await pace.later(why);
  }
  return letters;
}

async function attempt(item: Readable): Promise<{ readonly item: Readable; readonly error: unknown } | null> {
  try {
    await item.work.apply();
    return null;
  } catch (error) {
    return { item, error };
  }
}

/** Null: it says nothing about the record. */
function reasonOf(error: unknown): Reason | null {
  if (error instanceof Unreadable) return { code: error.code, detail: error.message };
  if (!(error instanceof Refusal) || error.code === 'unavailable') return null;
  const detail = [...new Set([error.message, ...fieldsOf(error)])].join('; ').slice(0, detailMax);
  return { code: error.code, detail };
}

/** The fields at fault, each with its rule. */
function fieldsOf({ details }: Refusal): string[] {
  const { errors } = details as { errors?: readonly FieldError[] };
  return (errors ?? []).map(({ message, path }) => (message.startsWith(path) ? message : `${path}: ${message}`));
}

/** Null: it may pass. A database that is away, overloaded or not migrated yet is never the record's fault. */
function finalFault(item: Readable, error: unknown, pace: Pace): Reason | null {
  if (!isDataFault(error)) return null;
  item.faults += 1;
  return item.faults < faultsMax ? null : faultOf(error, pace);
}

function faultOf(error: unknown, pace: Pace): Reason {
  pace.fault(error);
  return { code: 'internal', detail: 'a fault of the service, see its log; the record may be sent again' };
}
