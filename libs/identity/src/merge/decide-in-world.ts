import type { HeldUser, World } from '../change/world.js';
import { known } from '../change/world.js';
import type { MergeDecision } from './merge.decision.js';
import { decideMerge } from './merge.decision.js';

/** The decision over the locked truth; a source that is not there is null. */
export function decideInWorld(
  world: World,
  asked: {
    readonly target: HeldUser;
    readonly source: HeldUser | null;
    readonly allowDifferentUnionIds: boolean;
    readonly identitiesPerUserHardMax: number;
  },
): MergeDecision {
  const { target, source, ...rules } = asked;
  return decideMerge({
    target: known(target),
    source: source === null ? null : { ...known(source), status: source.status, leadsTo: source.leadsTo },
    separationId: source === null ? null : world.separationOf(source.id, target.id),
    ...rules,
  });
}
