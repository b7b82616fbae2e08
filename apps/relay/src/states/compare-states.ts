import { createHash } from 'node:crypto';
import type { Database, PublishedPlace, StateRecord } from '#store';
import { pickPublished, readStates } from '#store';

/** What the states topic says last of a user. */
export interface LastRecord {
  /** -1: a tombstone, or not a state at all. */
  readonly version: number;
  readonly digest: string;
}

/**
 * - `unknown`: of a user that does not exist; `beyond`: of a version that was never committed. Both are what a database
 *   leaves behind that was restored to an earlier moment.
 * - `behind`: of a version before one that was published; `other`: not as the user is.
 */
export interface Difference {
  readonly userId: string;
  readonly kind: 'unknown' | 'beyond' | 'behind' | 'other';
  /** Of the record. */
  readonly version: number;
}

const uuidPattern = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const nothing: LastRecord = { version: -1, digest: '' };

export const isUserId = (key: string): boolean => uuidPattern.test(key);

export function lastRecordOf(value: Buffer | null): LastRecord {
  if (value === null) return nothing;
  try {
    const data = JSON.parse(value.toString());
    return Number.isSafeInteger(data.version) ? { version: data.version, digest: digestOf(data) } : nothing;
  } catch {
    return nothing;
  }
}

/** `places` were read before the records, the tables are read now: what is still on its way is no difference. */
export async function compareStates(
  database: Database,
  places: readonly PublishedPlace[],
  records: readonly (readonly [string, LastRecord])[],
): Promise<Difference[]> {
  const ids = records.map(([userId]) => userId).filter(isUserId);
  const states = new Map((await readStates(database, ids, 0)).map((state) => [state.event.key, state]));
  const differences = records.flatMap(([userId, record]) => {
    const kind = differenceOf(record, states.get(userId));
    return kind === null ? [] : [{ userId, kind, version: record.version }];
  });
  const behind = differences.filter(({ kind }) => kind === 'behind');
  if (behind.length === 0) return differences;
  const steps = behind.map(({ userId, version }) => ({ userId, version: Math.max(1, version + 1) }));
  const published = await pickPublished(database, places, steps);
  return differences.filter(({ kind, userId }) => kind !== 'behind' || published.has(userId));
}

function differenceOf({ version, digest }: LastRecord, state: StateRecord | undefined): Difference['kind'] | null {
  if (state === undefined) return version < 0 ? null : 'unknown';
  const now = state.event.version ?? 0;
  if (version !== now) return version > now ? 'beyond' : 'behind';
  return digest === digestOf(JSON.parse(state.data)) ? null : 'other';
}

type Told = Readonly<Record<string, unknown>> & {
  readonly identities?: readonly Record<string, string>[];
  readonly unionIds?: readonly Record<string, string>[];
};

/** What a consumer learns from a state; a field that is added later is no difference. */
function digestOf({ status, mergedInto = null, createdAt = null, identities = [], unionIds = [] }: Told): string {
  const owned = identities.map(({ appId, openId }) => `${appId}:${openId}`);
  const keys = unionIds.map(({ openPlatformId, unionId }) => `${openPlatformId}:${unionId}`);
  const told = JSON.stringify([status, mergedInto, createdAt, owned.toSorted(), keys.toSorted()]);
  return createHash('sha1').update(told).digest('base64');
}
