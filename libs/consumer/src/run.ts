import type { IdentityRef } from '#events';
import type { Book, SeenUser, UserRow } from './book.js';
import type { Change } from './change.js';
import { identityKey } from './identity-set.js';
import type { Incoming } from './incoming.js';
import { isStale, missedSteps } from './turn.js';

type Step = Extract<Incoming, { kind: 'step' }>;

/** The steps at the head of the records that touch one user each, and no identity that anybody had. */
export interface RunPlan {
  /** How many records it covers, with those that are passed over. */
  length: number;
  stale: number;
  readonly steps: { readonly change: Change; readonly gained: readonly IdentityRef[]; readonly missed: number }[];
  /** Of users that are parked: they join their queue. */
  readonly parked: Step[];
  /** Everything that was read, stale or not. */
  readonly read: Change[];
}

/**
 * Cuts the records at the first that needs a turn. Each user at most once, so that the sets can be written together: a
 * second step of a user cuts as well. Rows are locked as they are read, so what is decided here holds to the commit.
 */
export async function planRun(book: Book, records: readonly Incoming[]): Promise<RunPlan> {
  const steps = records.filter((record): record is Step => record.kind === 'step');
  const ids = [...new Set(steps.map((step) => step.userId))];
  const parked = await book.parked(ids);
  const rows = new Map((await book.users(ids)).map((row) => [row.userId, row]));
  const held = new Map<string, Set<string>>(ids.map((id) => [id, new Set()]));
  for (const row of await book.holdingsOf([...rows.keys()])) if (row.held) held.get(row.userId)?.add(identityKey(row));
  const mapped = new Set((await book.mapped(steps.flatMap((step) => step.change.identities))).map(identityKey));

  const plan: RunPlan = { length: 0, stale: 0, steps: [], parked: [], read: [] };
  const used = new Set<string>();
  for (const record of records) {
    if (record.kind === 'unreadable' || record.kind === 'proposal') break;
    if (record.kind === 'step') {
      const { userId, change } = record;
      if (parked.has(userId)) plan.parked.push(record);
      else if (isStale(rows.get(userId), change)) {
        plan.stale += 1;
        plan.read.push(change);
      } else {
        const gained = used.has(userId) ? null : gainedPlainly(change, rows.get(userId), held.get(userId), mapped);
        if (gained === null) break;
        used.add(userId);
        for (const identity of gained) mapped.add(identityKey(identity));
        plan.steps.push({ change, gained, missed: missedSteps(rows.get(userId), change) });
        plan.read.push(change);
      }
    }
    plan.length += 1;
  }
  return plan;
}

/** What the user gained; null when the step needs a turn. */
function gainedPlainly(
  change: Change,
  row: UserRow | undefined,
  held: ReadonlySet<string> | undefined,
  mapped: ReadonlySet<string>,
): readonly IdentityRef[] | null {
  if (change.status !== 'live' || (row !== undefined && row.status !== 'live')) return null;
  const gained = change.identities.filter((identity) => held?.has(identityKey(identity)) !== true);
  const kept = change.identities.length - gained.length;
  if (kept !== (held?.size ?? 0) || gained.some((identity) => mapped.has(identityKey(identity)))) return null;
  return gained.map(({ appId, openId }) => ({ appId, openId }));
}

export function seen({ userId, epoch, version, at, status, mergedInto }: Change): SeenUser {
  return { userId, epoch, version, at, status, mergedInto };
}
