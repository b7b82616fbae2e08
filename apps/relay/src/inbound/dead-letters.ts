import type { SinkRecord } from '../kafka/sink.js';
import { deadLetterRoomBytes, messageMaxBytes } from '../kafka/topics.js';
import type { Letter } from './inbox.js';

const keyMaxBytes = 64 * 1024;
const headersMaxBytes = deadLetterRoomBytes / 4;

/**
 * The record of a letter: key, value and headers as received, and beside them why and from where. The dead letters have
 * room for the largest record that an inbound topic of ours takes. What came compressed over a topic that was not made by
 * us may be larger; then its value is cut, and says so.
 */
export function letterRecord(topic: string, { record, reason }: Letter): SinkRecord {
  const { key, value } = record;
  const isKeyKept = key === null || key.length <= keyMaxBytes || sizeOf(record) <= messageMaxBytes;
  const isValueCut = value !== null && value.length > messageMaxBytes - keyMaxBytes && sizeOf(record) > messageMaxBytes;
  const headers = sizeOf({ key: null, value: null, headers: record.headers }) <= headersMaxBytes ? record.headers : {};
  return {
    topic,
    key: isKeyKept ? key : null,
    value: isValueCut ? value.subarray(0, messageMaxBytes - keyMaxBytes) : value,
    headers: {
      ...headers,
      reason: reason.code,
      detail: reason.detail,
      'source-topic': record.topic,
      'source-partition': String(record.partition),
      'source-offset': record.offset,
      'source-timestamp': record.timestamp,
      ...(isValueCut ? { 'value-bytes': String(value.length) } : {}),
    },
  };
}

const bareKeyMaxBytes = 1_024;
const ownHeaders = ['reason', 'detail', 'source-topic', 'source-partition', 'source-offset', 'source-timestamp'];

/**
 * For a topic that takes less than ours do, because somebody else made it so: why and from where, and how large the value
 * was. The record itself is still where it came from; waiting for room would stop everything behind it.
 */
export function bareRecord({ topic, key, value, headers }: SinkRecord): SinkRecord {
  const own = Object.entries(headers).filter(([name]) => ownHeaders.includes(name));
  return {
    topic,
    key: Buffer.byteLength(key ?? '') <= bareKeyMaxBytes ? key : null,
    value: value === null ? null : '',
    headers: {
      ...Object.fromEntries(own),
      ...(value === null ? {} : { 'value-bytes': headers['value-bytes'] ?? String(Buffer.byteLength(value)) }),
    },
  };
}

/** Sends that a broker takes even where all of one goes to one partition; in order. */
export function cutBySize(records: readonly SinkRecord[]): SinkRecord[][] {
  const sends: SinkRecord[][] = [];
  let bytes = 0;
  for (const record of records) {
    const size = sizeOf(record);
    const current = sends.at(-1);
    if (current === undefined || bytes + size > messageMaxBytes) {
      sends.push([record]);
      bytes = size;
    } else {
      current.push(record);
      bytes += size;
    }
  }
  return sends;
}

const framingBytes = 32;

function sizeOf({ key, value, headers }: Pick<SinkRecord, 'key' | 'value' | 'headers'>): number {
  const parts = Object.entries(headers).flatMap(([name, header]) => [
    name,
    ...(Array.isArray(header) ? header : [header]),
  ]);
  return [key, value, ...parts].reduce<number>((sum, part) => sum + Buffer.byteLength(part ?? '') + framingBytes, 0);
}
