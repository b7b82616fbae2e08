import { createHash } from 'node:crypto';
import type { Envelope, MergeProposedData } from '#events';
import { fromHeaders, fromStructured, isNotice, toStructured, UnreadableEvent } from '#events';
import type { HeadersIn } from '#events';
import type { Change } from './change.js';
import { readChange } from './change.js';

/** A record as it came in: a step of a user, a question, something that is neither, or something we cannot read (yet). */
export type Incoming =
  | { readonly kind: 'step'; readonly userId: string; readonly change: Change; readonly body: Body }
  | { readonly kind: 'proposal'; readonly proposal: MergeProposedData }
  | { readonly kind: 'other' }
  | { readonly kind: 'unreadable'; readonly userId: string; readonly problem: string; readonly body: Body };

/** What is kept of a record whose user is parked; made then only. */
type Body = () => string;

export interface RawRecord {
  readonly key: Buffer | string | null;
  readonly headers: HeadersIn;
  readonly value: Buffer | string | null;
}

/** A record of a topic. An unreadable one belongs to the user of its key: it and what follows wait, the others go on. */
export function fromRecord(raw: RawRecord): Incoming {
  // A tombstone: there is nothing to know of its key any more, and an erased user was told as such before.
  if (raw.value === null) return { kind: 'other' };
  return reading(
    raw.key?.toString() ?? '',
    () => fromHeaders(raw.headers, raw.value),
    () => keepRecord(raw),
  );
}

/** An item of the HTTP feed. */
export function fromFeed(item: unknown): Incoming {
  const body = (): string => JSON.stringify({ event: item });
  return reading(keyOf(item), () => fromStructured(item), body);
}

export function fromEnvelope(event: Envelope): Incoming {
  return fromFeed(toStructured(event));
}

/** A parked body, which an update of this library may be able to read although the last one was not. */
export function fromBody(body: string): Incoming {
  const kept: { event?: unknown; record?: KeptRecord } = JSON.parse(body);
  if (kept.record === undefined) return fromFeed(kept.event);
  const { key, headers, value } = kept.record;
  return fromRecord({ key, headers, value: value === null ? null : Buffer.from(value, 'base64') });
}

interface KeptRecord {
  readonly key: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly value: string | null;
}

function keepRecord({ key, headers, value }: RawRecord): string {
  const record: KeptRecord = {
    key: key?.toString() ?? '',
    headers: Object.fromEntries(
      Object.entries(headers).flatMap(([name, header]) => (header == null ? [] : [[name, String(header)]])),
    ),
    value: value === null ? null : Buffer.from(value).toString('base64'),
  };
  return JSON.stringify({ record });
}

function reading(key: string, read: () => Envelope, body: Body): Incoming {
  try {
    const event = read();
    if (isProposal(event)) return { kind: 'proposal', proposal: event.data };
    const change = event.version === null && !isState(event) ? null : readChange(event);
    if (change === null) return { kind: 'other' };
    return { kind: 'step', userId: change.userId, change, body };
  } catch (error) {
    if (!(error instanceof UnreadableEvent)) throw error;
    return { kind: 'unreadable', userId: nameOf(key), problem: error.message, body };
  }
}

/** Any bytes may be a key; not all are a text that a database takes, or an index. What is no id of ours is only told apart. */
function nameOf(key: string): string {
  return /^[!-~]{0,100}$/.test(key) ? key : `sha256:${createHash('sha256').update(key).digest('hex')}`;
}

/** Only a whole one: nobody could be asked about half a proposal. */
function isProposal(event: Envelope): event is Envelope<'identity.MergeProposed.v1', MergeProposedData> {
  if (!isNotice(event) || event.type !== 'identity.MergeProposed.v1') return false;
  const { mergeId, participants, deadlineAt }: Partial<MergeProposedData> = event.data ?? {};
  return typeof mergeId === 'string' && typeof deadlineAt === 'string' && Array.isArray(participants);
}

/** A record of the states topic says its version in the data, whether or not it also says it in the headers. */
function isState({ data }: Envelope): boolean {
  return typeof data === 'object' && data !== null && 'status' in data && 'version' in data;
}

function keyOf(item: unknown): string {
  const key = typeof item === 'object' && item !== null && 'partitionkey' in item ? item.partitionkey : '';
  return typeof key === 'string' ? key : '';
}
