/** Which transactions a statement saw: everything below xmax but for those that were still running. */
export interface Snapshot {
  readonly xmax: bigint;
  /** Transactions below xmax that had not ended, ascending. */
  readonly running: readonly bigint[];
}

/**
 * A reader's place in the journal (docs/architecture.md). The portion being read is every row that `upto` sees and
 * `seen` did not, in id order; of it the rows up to `after` are taken. Between two portions `upto` is null.
 */
export interface SnapshotCursor {
  /** Null: nothing was seen; the portion is every row above `after`. */
  readonly seen: Snapshot | null;
  readonly upto: Snapshot | null;
  readonly after: number;
  /**
   * Microseconds of the server's clock since when it has lost no transaction number. A cursor that no commit has made
   * durable is worthless across a crash: the numbers of what was running then are given out again.
   */
  readonly incarnation: number;
}

/** Before the first row of the journal. */
export const journalStart: SnapshotCursor = { seen: null, upto: null, after: 0, incarnation: 0 };

const runningMax = 10_000;
const textMax = 64_000;
const number36 = /^[0-9a-z]{1,13}$/;
const bigint8Max = 2n ** 63n - 1n;

/** `xmin:xmax:running,…`, as PostgreSQL writes it. */
export function parseSnapshot(text: string): Snapshot {
  const [, xmax, running] = text.split(':');
  if (xmax === undefined || running === undefined) throw new Error('not a pg_snapshot');
  return { xmax: BigInt(xmax), running: running === '' ? [] : running.split(',').map(BigInt) };
}

export function snapshotText({ xmax, running }: Snapshot): string {
  return `${running[0] ?? xmax}:${xmax}:${running.join(',')}`;
}

/** Short and safe in a URL: numbers in base 36, what was running as distances from xmax. */
export function encodeCursor({ seen, upto, after, incarnation }: SnapshotCursor): string {
  return ['1', incarnation.toString(36), encodeSnapshot(seen), encodeSnapshot(upto), after.toString(36)].join('.');
}

/** Null for anything that `encodeCursor` did not write. */
export function decodeCursor(text: string): SnapshotCursor | null {
  if (text.length > textMax) return null;
  const [version, incarnationText, seenText, uptoText, afterText, ...rest] = text.split('.');
  if (version !== '1' || rest.length > 0) return null;
  const incarnation = decodeNumber(incarnationText);
  const seen = decodeSnapshot(seenText);
  const upto = decodeSnapshot(uptoText);
  const after = decodeNumber(afterText);
  if (incarnation === null || after === null || seen === undefined || upto === undefined) return null;
  const isBackwards = seen !== null && upto !== null && upto.xmax < seen.xmax;
  return isBackwards ? null : { seen, upto, after, incarnation };
}

/** Whether `one` saw everything that `other` saw. Of two snapshots of one server one always has. */
export function sawAsMuch(one: Snapshot, other: Snapshot): boolean {
  const notYet = new Set(other.running);
  return one.xmax >= other.xmax && one.running.every((xid) => xid >= other.xmax || notYet.has(xid));
}

export const isSameCursor = (a: SnapshotCursor, b: SnapshotCursor): boolean => encodeCursor(a) === encodeCursor(b);

function encodeSnapshot(snapshot: Snapshot | null): string {
  if (snapshot === null) return '';
  const { xmax, running } = snapshot;
  return [xmax, ...running.map((xid) => xmax - xid)].map((number) => number.toString(36)).join('-');
}

/** Undefined: not one. */
function decodeSnapshot(text: string | undefined): Snapshot | null | undefined {
  if (text === undefined || text === '') return text === '' ? null : undefined;
  const numbers = text.split('-').map(decodeBigInt);
  const [xmax, ...distances] = numbers;
  // 0 is no transaction: PostgreSQL takes no such snapshot.
  if (xmax === undefined || xmax === null || xmax === 0n || distances.length > runningMax) return undefined;
  const running: bigint[] = [];
  for (const distance of distances) {
    if (distance === null || distance <= 0n || distance >= xmax) return undefined;
    const xid = xmax - distance;
    const last = running.at(-1);
    if (last !== undefined && xid <= last) return undefined;
    running.push(xid);
  }
  return { xmax, running };
}

function decodeNumber(text: string | undefined): number | null {
  const number = decodeBigInt(text);
  return number === null || number > BigInt(Number.MAX_SAFE_INTEGER) ? null : Number(number);
}

function decodeBigInt(text: string | undefined): bigint | null {
  if (text === undefined || !number36.test(text)) return null;
  let number = 0n;
  for (const digit of text) number = number * 36n + BigInt(Number.parseInt(digit, 36));
  return number > bigint8Max || number.toString(36) !== text ? null : number;
}
