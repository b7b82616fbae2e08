import { createRequire } from 'node:module';
import { guardedVersion } from './timer-guard.js';

interface Header {
  readonly key: string;
  readonly value: Buffer | null;
}

interface FetchedRecord {
  readonly offset: string;
  readonly key: Buffer | null;
  isControlRecord?: boolean;
  /** Absent in formats older than transactions. */
  readonly batchContext?: { readonly producerId: string; readonly inTransaction: boolean };
}

interface FetchedPartition {
  readonly messages: FetchedRecord[];
  /** Where each begins that was undone; of all that reach into what was fetched. */
  abortedTransactions?: readonly { readonly producerId: string; readonly firstOffset: string }[] | null;
}

interface FetchAnswer {
  readonly responses: readonly { readonly partitions: readonly FetchedPartition[] }[];
}

type Fetch = (this: unknown, request: unknown) => Promise<FetchAnswer>;
type ReadArray = (this: unknown, read: unknown) => Header[];

/**
 * What KafkaJS 2.2.4 does wrong with what it has fetched, put right. Its time for the headers of a record grows with the
 * square of their number (10,000 take most of a minute, in which the process does nothing else and its group gives it
 * up, again and again), and it puts what every object inherits beside a header named `constructor`. And of transactions
 * that were undone beside each other it hands over records as if they counted: it takes one at a time, and not in order.
 * Answers whether it is in place.
 */
export function guardFetch(): boolean {
  const require = createRequire(import.meta.url);
  const { version }: { version: string } = require('kafkajs/package.json');
  if (version !== guardedVersion) return false;
  const broker: { readonly prototype: { fetch: Fetch } } = require('kafkajs/src/broker/index.js');
  const decoder: { readonly prototype: { readVarIntArray: unknown } } = require('kafkajs/src/protocol/decoder.js');
  const { fetch } = broker.prototype;
  if (fetch.name === 'fetchWhatCounts') return true;
  broker.prototype.fetch = async function fetchWhatCounts(request): Promise<FetchAnswer> {
    const answer = await fetch.call(this, request);
    for (const { partitions } of answer.responses) partitions.forEach(passUndone);
    return answer;
  };
  const readArray = decoder.prototype.readVarIntArray as ReadArray;
  // Nothing but headers is read by it, and nothing is done with them but to reduce them to an object.
  decoder.prototype.readVarIntArray = function readHeaders(this: unknown, read: unknown) {
    const headers = readArray.call(this, read);
    return { reduce: () => collected(headers) };
  };
  return true;
}

/** Records that were undone are marked as KafkaJS marks what is for nobody: passed over, and their places with them. */
export function passUndone(partition: FetchedPartition): void {
  const begins = (partition.abortedTransactions ?? []).toSorted((a, b) =>
    Number(BigInt(a.firstOffset) - BigInt(b.firstOffset)),
  );
  if (begins.length === 0) return;
  const undone = new Set<string>();
  let next = 0;
  for (const record of partition.messages) {
    for (let begin = begins[next]; begin !== undefined && isReached(begin, record); begin = begins[next]) {
      undone.add(begin.producerId);
      next += 1;
    }
    const { producerId, inTransaction } = record.batchContext ?? { producerId: '', inTransaction: false };
    if (record.isControlRecord === true) undone.delete(producerId);
    else if (inTransaction && undone.has(producerId)) record.isControlRecord = true;
  }
  partition.abortedTransactions = [];
}

const isReached = (begin: { readonly firstOffset: string }, { offset }: FetchedRecord): boolean =>
  BigInt(begin.firstOffset) <= BigInt(offset);

/** As KafkaJS means it: one value, or a list where a name comes again. */
function collected(headers: readonly Header[]): Record<string, unknown> {
  const byName = new Map<string, Header['value'][]>();
  for (const { key, value } of headers) {
    const values = byName.get(key);
    if (values === undefined) byName.set(key, [value]);
    else values.push(value);
  }
  return Object.fromEntries([...byName].map(([name, values]) => [name, values.length === 1 ? values[0] : values]));
}
