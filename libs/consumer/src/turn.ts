import type { IdentityRef } from '#events';
import type { Book, Unit, UserRow } from './book.js';
import type { Change } from './change.js';
import type { Handlers } from './handlers.js';
import { identityKey, IdentitySet } from './identity-set.js';
import { settle } from './settle.js';

/**
 * A *turn* is a step that may touch more than one user: a redirect, its undoing, an erasure, an identity that somebody
 * else has or had. Turns run one at a time in the whole database; everything else (`apply.ts`) touches one user and
 * identities nobody knew, and runs beside them.
 *
 * Why the outcome does not depend on the order across users. What is remembered is the newest state of each user, and
 * what follows from those states:
 *
 * - **Folds.** `foldedInto` is the redirect that was told to `onMerged`; data lies at the end of the chain of folds
 *   (`currentId`). A user whose state is "merged" is folded when that is first seen, into where its target's data lies
 *   *now*; a user whose state stops being "merged into that one" is unfolded, out of where the data lies *now*. So A→B→C
 *   ends with everything in C whether A→B or B→C is seen first, and undoing them in any order takes the same way back.
 * - **Circles.** States of different times can be redirects in a circle (A→B seen, B→A seen, the undoing of the first
 *   not yet). The one that would close the circle is left unfolded, and folded when a fold on its way is undone.
 * - **Identities.** A user keeps a row for every identity it has or had (`held`). When exactly one user holds an identity
 *   and data may lie with somebody else who does not, it is moved (`settle.ts`). When all newest states were seen,
 *   exactly one holds it, so whatever was earned under an identity is with its owner.
 *
 * With at-least-once delivery in version order per user, or the newest state alone, the end is the same; the harness
 * replays histories in all these ways, and the property specs do so over random ones.
 *
 * Answers how many steps of this user were missed before this one; null when it is not new.
 */
export async function turn<Tx>(unit: Unit<Tx>, change: Change, handlers: Handlers<Tx>): Promise<number | null> {
  const { book, tx } = unit;
  await book.lockTurns();
  const [before] = await book.users([change.userId]);
  if (isStale(before, change)) return null;
  const { userId, epoch, version, at, status, mergedInto } = change;
  await book.saveUsers([{ userId, epoch, version, at, status, mergedInto }]);

  const touched = new IdentitySet();
  const opened = await unfoldWhatEnded(unit, change, before, handlers, touched);
  if (status === 'live') await hold(book, change, touched);
  else await letGo(book, userId, touched);
  if (status === 'merged') await foldUser(unit, userId, mergedInto, handlers);
  if (status === 'erased' && before?.status !== 'erased') {
    await book.forget(await book.usersUnder(userId));
    await handlers.onErased?.(userId, tx);
  }
  if (opened) {
    for (const other of await book.unfolded()) await foldUser(unit, other.userId, other.mergedInto, handlers, touched);
  }
  if (status === 'live') {
    await book.claim(change.identities.map(({ appId, openId }) => ({ appId, openId, userId })));
    for (const identity of await book.markLinked(change.identities)) await handlers.onLinked?.(userId, identity, tx);
  }
  await settle(unit, touched.all(), handlers);
  await handlers.onUser?.(change, tx);
  return missedSteps(before, change);
}

/** Versions run without a gap, so a gap is a count of steps that were never seen here. */
export function missedSteps(row: UserRow | undefined, change: Change): number {
  return row === undefined || row.version === 0 || row.epoch !== change.epoch ? 0 : change.version - row.version - 1;
}

/** The guard of the contract: what is not above (epoch, version) has been seen, in whatever form. */
export function isStale(row: Pick<UserRow, 'epoch' | 'version'> | undefined, change: Change): boolean {
  if (row === undefined) return false;
  return change.epoch === row.epoch ? change.version <= row.version : change.epoch < row.epoch;
}

/** True when a fold was undone. */
async function unfoldWhatEnded<Tx>(
  unit: Unit<Tx>,
  change: Change,
  before: UserRow | undefined,
  handlers: Handlers<Tx>,
  touched: IdentitySet,
): Promise<boolean> {
  const { book, tx } = unit;
  const foldedInto = before?.foldedInto ?? null;
  if (foldedInto === null || foldedInto === change.mergedInto) return false;
  const source = change.userId;
  const { currentId: target, status } = await placeOf(book, foldedInto);
  const under = await book.usersUnder(source);
  await book.fold(source, null, source);

  const holdings = await book.holdingsOf(under);
  const returned = change.status === 'live' ? change.identities : holdings.filter((row) => row.userId === source);
  const returnedKeys = new Set(returned.map(identityKey));
  // What does not come back still lies with the target: its row goes there, so that it can be moved on one day.
  const staying = holdings.filter((row) => !returnedKeys.has(identityKey(row)));
  const there = new Set((await book.holdingsOf([target])).map(identityKey));
  await book.dropHoldings(staying);
  await book.putHoldings(
    new IdentitySet(staying.filter((row) => !there.has(identityKey(row))))
      .all()
      .map(({ appId, openId }) => ({ userId: target, appId, openId, held: false })),
  );
  for (const row of holdings) touched.add(row);
  if (status !== 'erased') {
    const identities = returned.map(({ appId, openId }) => ({ appId, openId }));
    await handlers.onReverted?.(source, target, identities, tx);
  }
  return true;
}

/** Tells onMerged, unless the way leads back to where it starts. */
async function foldUser<Tx>(
  unit: Unit<Tx>,
  userId: string,
  mergedInto: string | null,
  handlers: Handlers<Tx>,
  touched?: IdentitySet,
): Promise<void> {
  const { book, tx } = unit;
  const [row] = await book.users([userId]);
  if (mergedInto === null || (row !== undefined && row.foldedInto !== null)) return;
  const into = await placeOf(book, mergedInto);
  if (into.currentId === userId) return;
  await book.fold(userId, mergedInto, into.currentId);
  for (const holding of touched === undefined ? [] : await book.holdingsOf([userId])) touched?.add(holding);
  if (into.status !== 'erased') {
    await handlers.onMerged?.(userId, into.currentId, tx);
    return;
  }
  // The person was erased while our half of the merge was under way: what we keep must not outlive that.
  await book.forget(await book.usersUnder(userId));
  await handlers.onErased?.(userId, tx);
}

/** Where the data of an id lies, and whether whoever has it is erased. */
async function placeOf(book: Book, userId: string): Promise<Pick<UserRow, 'currentId' | 'status'>> {
  const [row] = await book.users([userId]);
  if (row === undefined) return { currentId: userId, status: 'live' };
  if (row.currentId === userId) return row;
  const [end] = await book.users([row.currentId]);
  return { currentId: row.currentId, status: end?.status ?? 'live' };
}

async function hold(book: Book, change: Change, touched: IdentitySet): Promise<void> {
  const { userId } = change;
  const now = new Set(change.identities.map(identityKey));
  const before = await book.holdingsOf([userId]);
  const had = new Set(before.filter((row) => row.held).map(identityKey));
  const lost = before.filter((row) => row.held && !now.has(identityKey(row)));
  const gained: readonly IdentityRef[] = change.identities.filter((identity) => !had.has(identityKey(identity)));
  await book.putHoldings([
    ...lost.map((row) => ({ ...row, held: false })),
    ...gained.map(({ appId, openId }) => ({ userId, appId, openId, held: true })),
  ]);
  for (const identity of [...lost, ...gained]) touched.add(identity);
}

async function letGo(book: Book, userId: string, touched: IdentitySet): Promise<void> {
  const rows = await book.holdingsOf([userId]);
  await book.putHoldings(rows.filter((row) => row.held).map((row) => ({ ...row, held: false })));
  for (const row of rows) touched.add(row);
}
