import { Injectable } from '@nestjs/common';
import type { LockedCase, MergeRow, Transaction } from '#store';
import { Database, findMerge, lockMergeCase, recordConsent, recordIgnored, saveMergeCase } from '#store';
import { Changes } from '../change/changes.js';
import { fold } from '../change/fold.js';
import type { Origin, World } from '../change/world.js';
import { isUserId } from '../lookup/users.js';
import { decideInWorld } from '../merge/decide-in-world.js';
import { expectAcknowledgements } from '../participant/participants.js';
import { Refusal } from '../problem.js';
import { IdentitySettings } from '../settings.js';
import type { CaseInput, CaseStatus, Circumstances, MergeCase, Step } from './consent.decision.js';
import { dueMs, isPending, silentParticipants, step } from './consent.decision.js';

/**
 * Merges that wait for consent or approval. Every input — an answer, an approval, the passing of a deadline — is one
 * transaction: lock both users and the case, read the clock, `step`, write. So a kill at any point leaves the case as it
 * was or as it is after, and the input may come again.
 */
@Injectable()
export class MergeCases {
  constructor(
    private readonly changes: Changes,
    private readonly database: Database,
    private readonly settings: IdentitySettings,
  ) {}

  /**
   * By another key than the requester's. Where participants are still to answer, the last of them commits the merge. What
   * changed since the request makes it stale: nobody approved of that.
   */
  async approve(mergeId: string, entityId: string | null, origin: Origin): Promise<void> {
    const merge = await this.found(mergeId, entityId);
    if (merge.requestedBy === origin.actor)
      throw new Refusal('same_requester', 'a merge is approved by another key than the one that asked for it');
    const { state, verdict } = await this.advance(merge, { kind: 'approve' }, origin);
    if (verdict === 'unknown') throw new Refusal('merge_stale', 'this merge waits for consent, not for approval');
    if (verdict === 'repeated') throw new Refusal('merge_stale', 'this merge was approved already');
    if (verdict === 'late') throw decided(state.status);
    if (state.status === 'stale')
      throw new Refusal('merge_stale', 'one of the users changed since the merge was requested');
  }

  /** Also the way to withdraw a merge that waits for consent. */
  async reject(mergeId: string, entityId: string | null, origin: Origin): Promise<void> {
    const merge = await this.found(mergeId, entityId);
    const { state, verdict } = await this.advance(merge, { kind: 'reject' }, origin);
    if (verdict !== 'counted') throw decided(state.status);
  }

  /** Late, repeated and unknown answers are recorded and change nothing, like those about a merge nobody knows. */
  async answer(
    answer: {
      readonly mergeId: string;
      readonly participant: string;
      readonly answer: 'accept' | 'refuse';
      readonly reason: string | null;
    },
    origin: Origin,
  ): Promise<void> {
    const merge = await findMerge(this.database, answer.mergeId, null);
    if (merge === null) return recordIgnored(this.database, answer, 'unknown');
    await this.advance(merge, { kind: 'answer', ...answer }, origin);
  }

  /** Ends the case where somebody's silence has lasted until the deadline. */
  async lookAtTheClock(mergeId: string, origin: Origin): Promise<void> {
    const merge = await findMerge(this.database, mergeId, null);
    if (merge !== null) await this.advance(merge, { kind: 'time' }, origin);
  }

  private async found(mergeId: string, entityId: string | null): Promise<MergeRow> {
    const merge = isUserId(mergeId) ? await findMerge(this.database, mergeId, entityId) : null;
    if (merge === null) throw new Refusal('merge_not_found', 'no such merge');
    return merge;
  }

  private advance(
    { id, sourceUserId, targetUserId }: MergeRow,
    input: CaseInput & { readonly reason?: string | null },
    origin: Origin,
  ): Promise<Step> {
    return this.changes.run({ userIds: [sourceUserId, targetUserId] }, async (world, transaction) => {
      const locked = await lockMergeCase(transaction, id);
      const before = caseOf(locked);
      const stepped = step(before, input, this.circumstances(world, locked));
      if (input.kind === 'answer') await record(transaction, { mergeId: id, reason: null, ...input }, stepped, locked);
      if (!isPending(before)) return stepped;
      const decidedNow = isPending(stepped.state)
        ? null
        : { at: locked.now, by: origin.actor, reason: reasonOf(stepped, input, origin, locked) };
      await saveMergeCase(transaction, {
        mergeId: id,
        status: stepped.state.status,
        approvedBy: input.kind === 'approve' && stepped.verdict === 'counted' ? origin.actor : locked.approvedBy,
        dueMs: dueMs(stepped.state),
        decided: decidedNow,
      });
      if (stepped.state.status === 'merged') await commit(world, transaction, locked.merge, origin);
      return stepped;
    });
  }

  private circumstances(world: World, { merge, now }: LockedCase): Circumstances {
    const source = world.user(merge.sourceUserId);
    const target = world.user(merge.targetUserId);
    const allowed = {
      allowDifferentUnionIds: merge.allowDifferent,
      identitiesPerUserHardMax: this.settings.identitiesPerUserHardMax,
    };
    return {
      nowMs: now.getTime(),
      mergeable:
        source?.status === 'live' &&
        target?.status === 'live' &&
        decideInWorld(world, { target, source, ...allowed }).kind === 'merge',
      unchanged: source?.version === merge.sourceVersion && target?.version === merge.targetVersion,
    };
  }
}

function caseOf({ merge, needsApproval, approvedBy, asked }: LockedCase): MergeCase {
  const needs = needsApproval ?? true;
  return {
    // The table's check allows no other.
    status: merge.status as CaseStatus,
    approval: !needs ? 'not_needed' : approvedBy === null ? 'awaited' : 'given',
    asked: asked.map(({ participant, deadlineAt, answer }) => ({
      participant,
      deadlineMs: deadlineAt.getTime(),
      answer,
    })),
  };
}

async function record(
  transaction: Transaction,
  answer: Parameters<typeof recordConsent>[1],
  { verdict }: Step,
  { now }: LockedCase,
): Promise<void> {
  if (verdict === 'counted') await recordConsent(transaction, answer, now);
  else await recordIgnored(transaction, answer, verdict);
}

/** Why it came to nothing, in words; null where it did not. */
function reasonOf(
  { state, verdict }: Step,
  input: CaseInput & { readonly reason?: string | null },
  origin: Origin,
  { now }: LockedCase,
): string | null {
  if (state.status === 'stale') return 'the users cannot be merged any more as they were asked about';
  if (state.status !== 'rejected') return null;
  if (verdict === 'counted' && input.kind === 'reject') return origin.reason;
  if (verdict === 'counted' && input.kind === 'answer') return input.reason ?? null;
  return `no answer in time from ${silentParticipants(state, now.getTime()).join(', ')}`;
}

async function commit(world: World, transaction: Transaction, merge: MergeRow, origin: Origin): Promise<void> {
  const source = world.user(merge.sourceUserId);
  const target = world.user(merge.targetUserId);
  if (source === undefined || target === undefined) throw new Error('a merge that may commit has both its users');
  const options = {
    mergeId: merge.id,
    automatic: false,
    evidence: merge.evidence,
    requestedBy: merge.requestedBy,
    requestedAt: merge.requestedAt.toISOString(),
    allowDifferent: merge.allowDifferent,
  };
  fold(world, source, target, options, { ...origin, reason: merge.reason });
  await expectAcknowledgements(transaction, target.entityId, 'merge', merge.id, world.now);
}

function decided(status: string): Refusal {
  return new Refusal('merge_stale', `this merge is ${status} already`);
}
