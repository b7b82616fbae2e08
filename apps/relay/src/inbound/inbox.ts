import type { IHeaders } from 'kafkajs';
import type { Origin } from '#identity';

/** A record of an inbound topic as it arrived. */
export interface InboundRecord {
  /** Full name. */
  readonly topic: string;
  readonly partition: number;
  readonly offset: string;
  /** Milliseconds, as its producer or the broker stamped it. */
  readonly timestamp: string;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: IHeaders;
}

/** What a readable record asks for. */
export interface Work {
  /** Of two that share one, the earlier is done before the later begins. */
  readonly keys: readonly string[];
  /** May run more than once: after a kill, and when the database was away. Rejects with a Refusal where it is refused. */
  apply(): Promise<void>;
}

/** What one topic is for. */
export interface Inbox {
  /** Records that are taken together; their places are saved together too. */
  readonly chunkMax: number;
  /** Throws Unreadable, or a Refusal. */
  read(record: InboundRecord): Work;
}

/** Names of fields are in it, and they may be as long and as many as a record holds. */
export const detailMax = 1_000;

/** Why a record is put aside. */
export interface Reason {
  /** `not_json`, `internal`, or the code of a refusal (docs/errors.md). */
  readonly code: string;
  /** In words, `detailMax` characters at most; never a value of the record. */
  readonly detail: string;
}

/** A record that cannot be taken, whoever tries: it goes to the dead letters. */
export interface Letter {
  readonly record: InboundRecord;
  readonly reason: Reason;
}

/** Not a record of this topic's form. */
export class Unreadable extends Error {
  override readonly name = 'Unreadable';

  constructor(
    readonly code: 'not_json',
    message: string,
  ) {
    super(message);
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** Bytes that are no UTF-8 are refused rather than mended: a mended id would be somebody else's. */
export function parseJson({ value }: InboundRecord): unknown {
  if (value === null) throw new Unreadable('not_json', 'the record has no value');
  try {
    return JSON.parse(utf8.decode(value));
  } catch {
    throw new Unreadable('not_json', 'the value is not JSON in UTF-8');
  }
}

const requestIdPattern = /^[\x21-\x7e]{1,128}$/;
const traceparentPattern = /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/;

/** By which request of theirs, where they say; else by which record. */
export function originOf(record: InboundRecord, cause: Origin['cause'], actor: string): Origin {
  const given = [headerText(record, 'ce_causationid'), headerText(record, 'x-request-id')].find(
    (id) => id !== null && requestIdPattern.test(id),
  );
  const trace = headerText(record, 'traceparent');
  return {
    cause,
    actor,
    requestId: given ?? `${record.topic}/${record.partition}/${record.offset}`,
    traceparent: trace !== null && traceparentPattern.test(trace) ? trace : null,
    reason: null,
  };
}

export function headerText({ headers }: InboundRecord, name: string): string | null {
  const header = headers[name];
  const first = Array.isArray(header) ? header[0] : header;
  return first === undefined ? null : first.toString();
}

/** What was sent as headers. One without a value (null, as connectors write it) counts as absent: KafkaJS cannot send it on. */
export function headersOf(received: Readonly<Record<string, unknown>>): IHeaders {
  const entries = Object.entries(received).map(([name, header]): [string, Buffer[]] => {
    const values: readonly unknown[] = Array.isArray(header) ? header : [header];
    return [name, values.filter((value) => Buffer.isBuffer(value))];
  });
  return Object.fromEntries(
    entries.flatMap(([name, [first, ...more]]): [string, Buffer | Buffer[]][] =>
      first === undefined ? [] : [[name, more.length === 0 ? first : [first, ...more]]],
    ),
  );
}
