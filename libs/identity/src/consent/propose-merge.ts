import type { Transaction } from '#store';
import { openMergeCase } from '#store';
import type { HeldUser, Origin, World } from '../change/world.js';
import { openCase } from './consent.decision.js';

export interface Proposal {
  readonly mergeId: string;
  readonly source: HeldUser;
  readonly target: HeldUser;
  readonly allowDifferent: boolean;
  readonly evidence: object | null;
  readonly needsApproval: boolean;
  /** Who is asked; nobody where the merge waits for approval alone. */
  readonly consenting: readonly { readonly name: string; readonly answerWithinSeconds: number }[];
}

/**
 * Writes a merge down as requested and asks whom it concerns, in one transaction: whoever reads the notice finds the case.
 * Participants have each their own time to answer, so there is a notice for each deadline; as a rule that is one.
 */
export async function proposeMerge(
  world: World,
  transaction: Transaction,
  proposal: Proposal,
  origin: Origin,
): Promise<'pending_consent' | 'pending_approval'> {
  const { mergeId, source, target, needsApproval, consenting } = proposal;
  const nowMs = Date.parse(world.now);
  const asked = consenting.map(({ name, answerWithinSeconds }) => ({
    participant: name,
    deadlineMs: nowMs + answerWithinSeconds * 1000,
  }));
  const { status } = openCase(asked, needsApproval);
  world.write('merges', {
    id: mergeId,
    entityId: target.entityId,
    sourceUserId: source.id,
    targetUserId: target.id,
    status,
    automatic: false,
    reason: origin.reason,
    requestedBy: origin.actor,
    allowDifferent: proposal.allowDifferent,
    evidence: proposal.evidence,
    movedIdentities: [],
    movedUnionIds: [],
    sourceVersion: source.version,
    targetVersion: target.version,
    requestedAt: world.now,
  });
  await openMergeCase(transaction, { mergeId, needsApproval, asked });
  for (const deadlineMs of new Set(asked.map((one) => one.deadlineMs)))
    world.notice(
      target.entityId,
      target.id,
      'identity.MergeProposed.v1',
      {
        mergeId,
        targetUserId: target.id,
        sourceUserId: source.id,
        participants: asked.filter((one) => one.deadlineMs === deadlineMs).map(({ participant }) => participant),
        deadlineAt: new Date(deadlineMs).toISOString(),
        reason: origin.reason,
      },
      origin,
    );
  return status;
}
