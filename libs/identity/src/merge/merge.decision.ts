import type { KnownUser } from '../resolve/resolve.decision.js';
import { differingAccounts } from '../resolve/resolve.decision.js';

export type SourceRefusal =
  'user_not_found' | 'user_erased' | 'user_merged' | 'separated' | 'different_union_ids' | 'too_many_identities';

export interface MergeFacts {
  readonly target: KnownUser;
  /** Null: no such user in this entity. */
  readonly source:
    | (KnownUser & {
        readonly status: 'live' | 'merged' | 'erased';
        /** The end of the chain, where it is merged away. */
        readonly leadsTo: string | null;
      })
    | null;
  /** The decision that keeps the two apart; null: there is none. */
  readonly separationId: string | null;
  readonly allowDifferentUnionIds: boolean;
  readonly identitiesPerUserHardMax: number;
}

export type MergeDecision =
  | { readonly kind: 'merge' }
  | { readonly kind: 'already_merged' }
  | { readonly kind: 'refused'; readonly code: SourceRefusal; readonly details: Readonly<Record<string, unknown>> };

/** May this source be folded into this target by hand? What is wrong with the target was refused before. */
export function decideMerge(facts: MergeFacts): MergeDecision {
  const { source, target } = facts;
  if (source === null) return { kind: 'refused', code: 'user_not_found', details: {} };
  if (source.status === 'erased') return { kind: 'refused', code: 'user_erased', details: {} };
  if (source.status === 'merged') {
    if (source.leadsTo === target.id) return { kind: 'already_merged' };
    return { kind: 'refused', code: 'user_merged', details: { mergedInto: source.leadsTo } };
  }
  if (facts.separationId !== null)
    return { kind: 'refused', code: 'separated', details: { separationId: facts.separationId } };
  const differing = differingAccounts(source, target);
  if (differing.length > 0 && !facts.allowDifferentUnionIds)
    return {
      kind: 'refused',
      code: 'different_union_ids',
      details: { unionIds: differing.map((account) => bothSides(account, source, target)) },
    };
  if (source.identities.length + target.identities.length > facts.identitiesPerUserHardMax)
    return { kind: 'refused', code: 'too_many_identities', details: { max: facts.identitiesPerUserHardMax } };
  return { kind: 'merge' };
}

function bothSides(openPlatformId: string, source: KnownUser, target: KnownUser): object {
  const of = (user: KnownUser): string[] =>
    user.unionKeys.filter((key) => key.openPlatformId === openPlatformId && !key.retired).map((key) => key.unionId);
  return { openPlatformId, source: of(source), target: of(target) };
}
