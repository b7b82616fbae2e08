import type { IdentityRef } from '#events';
import type { PlacedHolding, Unit } from './book.js';
import type { Handlers } from './handlers.js';
import { identityKey } from './identity-set.js';

interface Move {
  readonly from: string;
  readonly to: string;
  readonly identities: IdentityRef[];
}

/**
 * Brings the map identity → user up to date for these identities, and moves what lies with somebody who no longer has
 * them. Two holders mean that one of them has a newer state which we have not seen: nothing is moved until we have, and
 * meanwhile the map answers the one whose state is younger.
 */
export async function settle<Tx>(
  { book, tx }: Unit<Tx>,
  identities: readonly IdentityRef[],
  handlers: Handlers<Tx>,
): Promise<void> {
  if (identities.length === 0) return;
  const byIdentity = new Map<string, PlacedHolding[]>(identities.map((identity) => [identityKey(identity), []]));
  for (const row of await book.holdingsFor(identities)) byIdentity.get(identityKey(row))?.push(row);

  const moves = new Map<string, Move>();
  const moved: PlacedHolding[] = [];
  const owners = identities.map(({ appId, openId }) => {
    const rows = byIdentity.get(identityKey({ appId, openId })) ?? [];
    const holders = rows.filter((row) => row.held).toSorted(youngerFirst);
    const [owner] = holders;
    if (owner !== undefined && holders.length === 1) {
      for (const row of rows.filter((one) => one.currentId !== owner.userId)) {
        const move = moves.get(`${row.currentId} ${owner.userId}`) ?? {
          from: row.currentId,
          to: owner.userId,
          identities: [],
        };
        moves.set(`${move.from} ${move.to}`, move);
        if (move.identities.every((one) => identityKey(one) !== identityKey(row)))
          move.identities.push({ appId, openId });
        moved.push(row);
      }
    }
    return { appId, openId, userId: owner?.userId ?? null };
  });
  // Waits for whoever is writing under the old owner, having found it in the map (people.ts).
  if (moved.length > 0) await book.users([...new Set(moved.map((row) => row.currentId))]);
  await book.setOwners(owners);
  await book.dropHoldings(moved);
  for (const { from, to, identities: which } of moves.values()) await handlers.onMoved?.(from, to, which, tx);
}

function youngerFirst(a: PlacedHolding, b: PlacedHolding): number {
  return a.at > b.at ? -1 : a.at < b.at ? 1 : 0;
}
