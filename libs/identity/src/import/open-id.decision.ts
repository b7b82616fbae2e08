import type { ConflictKind, KnownUser } from '../resolve/resolve.decision.js';
import { differingAccounts } from '../resolve/resolve.decision.js';

export interface OpenIdFacts {
  /** Who owns the old openId. */
  readonly holder: (KnownUser & { readonly createdAt: string }) | null;
  /** The old openId was replaced before: by the new one, or by another. */
  readonly replacedBefore: 'by_the_new' | 'by_another' | null;
  /** Who owns the new openId. */
  readonly owner: (KnownUser & { readonly createdAt: string }) | null;
  /** The account of the new app, where it is bound. */
  readonly openPlatformId: string | null;
  readonly separated: boolean;
  readonly identitiesPerUserMax: number;
}

export type OpenIdDecision =
  | { readonly kind: 'unchanged' }
  /** The new openId takes the old one's place. */
  | { readonly kind: 'replace' }
  /** The user has the new openId already: the old one only goes. */
  | { readonly kind: 'retire' }
  | { readonly kind: 'merge'; readonly survivor: 'holder' | 'owner' }
  | {
      readonly kind: 'refused';
      readonly code: string;
      readonly message: string;
      readonly conflict: ConflictKind | null;
    };

/** What one line of WeChat's changeopenid result means: as strong as a unionId (WeChat facts 5.2). */
export function decideOpenId(facts: OpenIdFacts): OpenIdDecision {
  const { holder, owner } = facts;
  if (holder === null) {
    if (facts.replacedBefore === 'by_the_new') return { kind: 'unchanged' };
    if (facts.replacedBefore === 'by_another')
      return refused('open_id_retired', 'the old openId was replaced by another one before');
    return refused('identity_not_found', 'the old openId was never seen');
  }
  if (owner === null) return { kind: 'replace' };
  if (owner.id === holder.id) return { kind: 'retire' };
  if (facts.separated) return refused('separated', 'the two users were separated by a decision', 'separated');
  const differing = differingAccounts(holder, owner);
  if (differing.length > 0)
    return refused(
      'different_union_ids',
      'the users of the old and the new openId hold different unionIds',
      facts.openPlatformId !== null && differing.includes(facts.openPlatformId)
        ? 'different_union_id'
        : 'different_union_ids_elsewhere',
    );
  if (holder.identities.length + owner.identities.length > facts.identitiesPerUserMax)
    return refused('too_many_identities', 'the merged user would hold too many identities', 'too_many_identities');
  return { kind: 'merge', survivor: survivorOf(holder, owner) };
}

/** P1: whoever has a unionId survives; between two alike the older. */
function survivorOf(
  holder: NonNullable<OpenIdFacts['holder']>,
  owner: NonNullable<OpenIdFacts['owner']>,
): 'holder' | 'owner' {
  if (isKeyed(holder) !== isKeyed(owner)) return isKeyed(holder) ? 'holder' : 'owner';
  return `${holder.createdAt} ${holder.id}` < `${owner.createdAt} ${owner.id}` ? 'holder' : 'owner';
}

function isKeyed(user: KnownUser): boolean {
  return user.unionKeys.some((key) => !key.retired);
}

function refused(code: string, message: string, conflict: ConflictKind | null = null): OpenIdDecision {
  return { kind: 'refused', code, message, conflict };
}
