import type { Envelope } from './event.js';

/** A record or a body that is not an event of this contract; says which attribute is wrong, never a value. */
export class UnreadableEvent extends Error {
  override readonly name = 'UnreadableEvent';
}

/** Kafka headers as KafkaJS hands them over. One without a value (null, as connectors write it) counts as absent. */
export type HeadersIn = Readonly<Record<string, Buffer | string | readonly (Buffer | string)[] | null | undefined>>;

/** A structured-mode CloudEvent: what the HTTP feed lists and streams. Optional attributes are absent, never null. */
export interface StructuredEvent<Data = unknown> {
  readonly specversion: '1.0';
  readonly id: string;
  readonly source: string;
  readonly type: string;
  readonly time: string;
  readonly subject?: string;
  readonly partitionkey: string;
  /** Ten digits, zero-padded, so that it also sorts as text. Absent for notices. */
  readonly sequence?: string;
  /** A string, as CloudEvents extensions travel; the restore epoch. */
  readonly epoch: string;
  readonly entityid: string;
  readonly dataschema: string;
  readonly causationid?: string;
  readonly traceparent?: string;
  readonly datacontenttype: 'application/json';
  readonly data: Data;
}

const contentType = 'application/json';

/** Where the type's JSON Schema is: libs/events/schemas/{type}.json has this `$id`. */
export const dataSchemaOf = (type: string): string => `urn:unionlink:schemas:${type}`;

export function toStructured<Data>(event: Envelope<string, Data>): StructuredEvent<Data> {
  return {
    specversion: '1.0',
    id: event.id,
    source: `/identity/${event.entityId}`,
    type: event.type,
    time: event.time,
    ...(event.subject === null ? {} : { subject: event.subject }),
    partitionkey: event.key,
    ...(event.version === null ? {} : { sequence: sequenceOf(event.version) }),
    epoch: String(event.epoch),
    entityid: event.entityId,
    dataschema: dataSchemaOf(event.type),
    ...(event.causationId === null ? {} : { causationid: event.causationId }),
    ...(event.traceparent === null ? {} : { traceparent: event.traceparent }),
    datacontenttype: contentType,
    data: event.data,
  };
}

/**
 * Binary mode: the attributes of `toStructured` as headers; the record's value is the JSON data alone. Written out, because
 * the relay does it for every record.
 */
export function toHeaders(event: Envelope): Record<string, string> {
  const headers: Record<string, string> = {
    ce_specversion: '1.0',
    ce_id: event.id,
    ce_source: `/identity/${event.entityId}`,
    ce_type: event.type,
    ce_time: event.time,
  };
  if (event.subject !== null) headers['ce_subject'] = event.subject;
  headers['ce_partitionkey'] = event.key;
  if (event.version !== null) headers['ce_sequence'] = sequenceOf(event.version);
  headers['ce_epoch'] = String(event.epoch);
  headers['ce_entityid'] = event.entityId;
  headers['ce_dataschema'] = dataSchemaOf(event.type);
  if (event.causationId !== null) headers['ce_causationid'] = event.causationId;
  if (event.traceparent !== null) headers['traceparent'] = event.traceparent;
  headers['content-type'] = contentType;
  return headers;
}

const sequenceOf = (version: number): string => String(version).padStart(10, '0');

/** The event of a Kafka record. Attributes that are not known here are ignored: they come from a newer service. */
export function fromHeaders(headers: HeadersIn, value: Buffer | string | null): Envelope {
  const read = (name: string): string | undefined => headerText(headers[name]);
  return envelope((name) => read(name === 'traceparent' ? name : `ce_${name}`), parse(value));
}

/** The event of a structured-mode JSON object, as the HTTP feed carries it. */
export function fromStructured(body: unknown): Envelope {
  if (typeof body !== 'object' || body === null) throw new UnreadableEvent('the event is not an object');
  const attributes = new Map<string, unknown>(Object.entries(body));
  return envelope((name) => {
    const value = attributes.get(name);
    return typeof value === 'string' || typeof value === 'number' ? String(value) : undefined;
  }, attributes.get('data'));
}

function envelope(read: (name: string) => string | undefined, data: unknown): Envelope {
  const needed = (name: string): string => {
    const value = read(name);
    if (value === undefined || value === '') throw new UnreadableEvent(`the attribute ${name} is missing`);
    return value;
  };
  if (needed('specversion') !== '1.0') throw new UnreadableEvent('the attribute specversion is not 1.0');
  const sequence = read('sequence');
  return {
    id: needed('id'),
    entityId: read('entityid') ?? needed('source').replace(/^\/identity\//, ''),
    type: needed('type'),
    time: needed('time'),
    subject: read('subject') ?? null,
    key: needed('partitionkey'),
    version: sequence === undefined ? null : wholeNumber('sequence', sequence),
    epoch: wholeNumber('epoch', needed('epoch')),
    causationId: read('causationid') ?? null,
    traceparent: read('traceparent') ?? null,
    data,
  };
}

function wholeNumber(name: string, text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new UnreadableEvent(`the attribute ${name} is not a whole number`);
  return Number(text);
}

function headerText(header: HeadersIn[string]): string | undefined {
  const first: Buffer | string | null | undefined = isList(header) ? header[0] : header;
  return first?.toString();
}

function parse(value: Buffer | string | null): unknown {
  if (value === null) return null;
  try {
    return JSON.parse(value.toString());
  } catch (error) {
    throw new UnreadableEvent('the data is not JSON', { cause: error });
  }
}

function isList(header: HeadersIn[string]): header is readonly (Buffer | string)[] {
  return Array.isArray(header);
}
