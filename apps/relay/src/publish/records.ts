import { toHeaders, topicName, topics } from '#events';
import type { JournalRow, StateRecord } from '#store';
import { attributesOf } from '#store';
import type { OutRecord } from '../kafka/sink.js';
import { recordBatchMaxBytes } from '../kafka/topics.js';

/** Makes Kafka records of rows, for the topics under one prefix. */
export class RecordMaker {
  readonly userEvents: string;
  readonly userStates: string;
  readonly notices: string;

  constructor(prefix: string) {
    this.userEvents = topicName(prefix, topics.userEvents);
    this.userStates = topicName(prefix, topics.userStates);
    this.notices = topicName(prefix, topics.notices);
  }

  ofRow(row: JournalRow, epoch: number): OutRecord {
    const topic = row.version === null ? this.notices : this.userEvents;
    return { topic, key: row.key, value: row.data, headers: toHeaders(attributesOf(row, epoch)) };
  }

  ofState({ event, data }: StateRecord): OutRecord {
    return { topic: this.userStates, key: event.key, value: data, headers: toHeaders(event) };
  }
}

/** Attributes and framing of a record, roughly. */
const overheadBytes = 700;
/** Far above what a send of small events holds; it bounds memory and the time of one request. */
const sendMaxBytes = 8 * 1024 * 1024;

/**
 * Cuts one batch into sends that a broker takes: what goes to one partition in one request is one record batch, and that
 * has a limit. `steps` stay whole and in order.
 */
export function cutIntoSends<Step extends { readonly records: readonly OutRecord[] }>(
  steps: readonly Step[],
  partitionOf: (record: OutRecord) => string,
): Step[][] {
  const sends: Step[][] = [];
  let current: Step[] = [];
  let total = 0;
  let byPartition = new Map<string, number>();
  for (const step of steps) {
    const sizes = step.records.map(
      (record) => [partitionOf(record), Buffer.byteLength(record.value) + overheadBytes] as const,
    );
    const stepBytes = sizes.reduce((sum, [, bytes]) => sum + bytes, 0);
    const isFull = sizes.some(([partition, bytes]) => (byPartition.get(partition) ?? 0) + bytes > recordBatchMaxBytes);
    if (current.length > 0 && (isFull || total + stepBytes > sendMaxBytes)) {
      sends.push(current);
      [current, total, byPartition] = [[], 0, new Map()];
    }
    current.push(step);
    total += stepBytes;
    for (const [partition, bytes] of sizes) byPartition.set(partition, (byPartition.get(partition) ?? 0) + bytes);
  }
  if (current.length > 0) sends.push(current);
  return sends;
}
