import type { KnownUser } from '../resolve/resolve.decision.js';
import { differingAccounts } from '../resolve/resolve.decision.js';

export interface RekeyFacts {
  /** Inside one account the old unionId is retired; to another account both stay keys. */
  readonly sameAccount: boolean;
  /** Who holds the old unionId. */
  readonly holder: KnownUser | null;
  readonly oldIsRetired: boolean;
  /** Whom the new unionId leads to. */
  readonly targetOwner: KnownUser | null;
  readonly newIsRetired: boolean;
  /** Another line of the same permutation takes the new unionId away from its owner. */
  readonly vacated: boolean;
  readonly newOpenPlatformId: string;
  readonly separated: boolean;
  readonly identitiesPerUserMax: number;
}

export type RekeyDecision =
  | { readonly kind: 'unchanged' }
  | { readonly kind: 'rekey' }
  /** The new unionId has its user already, in the other account: the holder is folded into it (P1). */
  | { readonly kind: 'merge' }
  | { readonly kind: 'refused'; readonly code: string; readonly message: string };

/** What one line of a re-key table means for whoever holds the old unionId. */
export function decideRekey(facts: RekeyFacts): RekeyDecision {
  const { holder, targetOwner, sameAccount } = facts;
  if (holder === null) return refused('user_not_found', 'nobody holds the old unionId');
  if (targetOwner !== null && targetOwner.id === holder.id) {
    // Done before, or two unionIds of one user that change places.
    if (!sameAccount || facts.oldIsRetired || facts.vacated) return { kind: 'unchanged' };
    return { kind: 'rekey' };
  }
  if (sameAccount && facts.oldIsRetired)
    return refused('union_id_retired', 'the old unionId was replaced by another one before');
  const isFree = targetOwner === null || facts.newIsRetired || facts.vacated;
  if (sameAccount)
    return isFree
      ? { kind: 'rekey' }
      : refused(
          'different_union_ids',
          'the new unionId belongs to another user: merge the two, then send this line again',
        );
  if (isFree) {
    const holdsAnother = holder.unionKeys.some((key) => key.openPlatformId === facts.newOpenPlatformId && !key.retired);
    if (!holdsAnother) return { kind: 'rekey' };
    return refused('different_union_ids', 'the user holds another unionId of the new account');
  }
  return decideJoin(facts, holder, targetOwner);
}

function decideJoin(facts: RekeyFacts, holder: KnownUser, owner: KnownUser): RekeyDecision {
  if (facts.separated) return refused('separated', 'the two users were separated by a decision');
  if (differingAccounts(holder, owner).length > 0)
    return refused(
      'different_union_ids',
      'the holders of the old and the new unionId hold different unionIds of one account',
    );
  const apps = new Set(owner.identities.map(({ appId }) => appId));
  if (holder.identities.some(({ appId }) => apps.has(appId)))
    return refused('second_open_id', 'the holders of the old and the new unionId both have an openId in one app');
  if (holder.identities.length + owner.identities.length > facts.identitiesPerUserMax)
    return refused('too_many_identities', 'the merged user would hold too many identities');
  return { kind: 'merge' };
}

function refused(code: string, message: string): RekeyDecision {
  return { kind: 'refused', code, message };
}
