import type { Envelope, IdentityRef } from '#events';
import { UnreadableEvent } from '#events';

/** One step of one user, as far as the follower decides by it: the state after it, and the event that told. */
export interface Change {
  readonly userId: string;
  readonly epoch: number;
  readonly version: number;
  /** When the change was made, RFC 3339. Both halves of a merge have the same. */
  readonly at: string;
  readonly status: 'live' | 'merged' | 'erased';
  readonly mergedInto: string | null;
  readonly identities: readonly IdentityRef[];
  /** For what is not in the state: which merge, which erasure. */
  readonly event: Envelope;
}

/**
 * Reads the state out of a record of the events topic, the states topic or the feed. Null: this record is of a type that
 * carries no user, which a newer service may send. The feed reduces the events of an erased person to ids, status and
 * version, so everything beyond those may be missing.
 */
export function readChange(event: Envelope): Change | null {
  const data = record(event.data, 'the data is not an object');
  const state = 'user' in data ? data['user'] : 'status' in data ? data : null;
  if (state === null) return null;
  const user = record(state, 'the user is not an object');
  const { status } = user;
  if (status !== 'live' && status !== 'merged' && status !== 'erased')
    throw new UnreadableEvent('the status is unknown');
  const mergedInto = idOf(user['mergedInto']) ?? idOf(data['mergedInto']);
  const change = {
    userId: idOf(user['id']) ?? refuse('the user has no id'),
    epoch: event.epoch,
    version: wholeNumber(user['version']),
    at: text(data['occurredAt']) ?? event.time,
    event,
  };
  // Merged, and into nobody: all that was left of somebody erased.
  if (status === 'merged' && mergedInto !== null) return { ...change, status, mergedInto, identities: [] };
  if (status === 'live') return { ...change, status, mergedInto: null, identities: identitiesOf(user['identities']) };
  return { ...change, status: 'erased', mergedInto: null, identities: [] };
}

function identitiesOf(value: unknown): readonly IdentityRef[] {
  if (value === undefined) return [];
  if (!Array.isArray(value)) throw new UnreadableEvent('the identities are not a list');
  return value.map((item: unknown) => {
    const identity = record(item, 'an identity is not an object');
    const appId = text(identity['appId']) ?? refuse('an identity has no appId');
    return { appId, openId: text(identity['openId']) ?? refuse('an identity has no openId') };
  });
}

function record(value: unknown, problem: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new UnreadableEvent(problem);
  return Object.fromEntries(Object.entries(value));
}

function text(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}

/** What every table and index takes. */
function idOf(value: unknown): string | null {
  const id = text(value);
  return id === null || /^[!-~]{1,100}$/.test(id) ? id : refuse('an id is no id of ours');
}

function wholeNumber(value: unknown): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value)) throw new UnreadableEvent('the version is no number');
  return value;
}

function refuse(problem: string): never {
  throw new UnreadableEvent(problem);
}
