import { createHash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { Database, readConsenting } from '#store';
import { expectAcknowledgements } from '../participant/participants.js';
import { Changes } from '../change/changes.js';
import type { FoldOptions } from '../change/fold.js';
import { fold } from '../change/fold.js';
import type { HeldUser, Origin, World } from '../change/world.js';
import { proposeMerge } from '../consent/propose-merge.js';
import { isUserId } from '../lookup/users.js';
import { Refusal } from '../problem.js';
import { IdentitySettings } from '../settings.js';
import type { MergeDecision } from './merge.decision.js';
import { decideInWorld } from './decide-in-world.js';

export interface MergeRequest {
  readonly targetUserId: string;
  readonly sourceUserIds: readonly string[];
  readonly allowDifferentUnionIds: boolean;
  readonly entityId: string | null;
}

export interface MergeOutcome {
  readonly sourceUserId: string;
  readonly outcome: 'merged' | 'already_merged' | 'refused' | 'pending_approval' | 'pending_consent';
  readonly mergeId?: string;
  readonly mergedInto?: string;
  readonly code?: string;
  readonly [detail: string]: unknown;
}

export interface MergePreview {
  readonly targetUserId: string;
  readonly results: readonly {
    readonly sourceUserId: string;
    readonly outcome: 'would_merge' | 'already_merged' | 'refused';
    readonly mergedInto?: string;
    readonly code?: string;
    /** What would move. */
    readonly identities: number;
    readonly unionIds: number;
  }[];
  readonly identitiesAfter: number;
  readonly previewToken: string;
  /** The participants that would be asked. */
  readonly consents: readonly string[];
}

export const sourcesMax = 100;

/** Merging by hand: preview and request. What waits for somebody is in consent/, reverting in revert.ts. */
@Injectable()
export class Merges {
  constructor(
    private readonly changes: Changes,
    private readonly database: Database,
    private readonly settings: IdentitySettings,
  ) {}

  /** What would happen, per source, and who would be asked. Changes nothing; the token fails once the world changed. */
  async preview(request: MergeRequest): Promise<MergePreview> {
    refuseMalformed(request);
    const preview = await this.changes.rehearse(locks(request), (world) => {
      const target = liveTarget(world, request);
      const previewToken = tokenOf(world, request);
      const results = request.sourceUserIds.map((id) => {
        const source = sourceOf(world, request, id);
        const decision = this.decide(world, request, target, source);
        const moved = decision.kind === 'merge' ? source : null;
        const counts = {
          identities: moved?.identities.length ?? 0,
          unionIds: moved?.unionKeys.filter(({ retiredAt }) => retiredAt === null).length ?? 0,
        };
        // Each source is looked at in the world that the ones before it leave, as the merge will.
        if (moved !== null) fold(world, moved, target, rehearsal(world), rehearsalOrigin);
        return { ...describe(id, target, decision, 'would_merge'), ...counts };
      });
      const { id: targetUserId, entityId } = target;
      return { entityId, shown: { targetUserId, results, identitiesAfter: target.identities.length, previewToken } };
    });
    const consenting = await readConsenting(this.database, preview.entityId);
    return { ...preview.shown, consents: consenting.map(({ name }) => name) };
  }

  /**
   * One transaction for all sources. Each source is a step of its own on the target; one that waits for consent or
   * approval is a case of its own, in either mode.
   */
  async merge(
    request: MergeRequest & {
      readonly mode: 'each' | 'all';
      readonly previewToken?: string | undefined;
      readonly requireApproval: boolean;
    },
    origin: Origin,
  ): Promise<MergeOutcome[]> {
    refuseMalformed(request);
    return this.changes.run(locks(request), async (world, transaction) => {
      const target = liveTarget(world, request);
      if (request.previewToken !== undefined && request.previewToken !== tokenOf(world, request))
        throw new Refusal('preview_stale', 'the users changed since the preview: look at it again');
      const ledThere = new Set(request.sourceUserIds.filter((id) => world.user(id)?.leadsTo === target.id));
      const consenting = await readConsenting(transaction, target.entityId);
      const decided: MergeOutcome[] = [];
      for (const id of request.sourceUserIds) {
        const source = sourceOf(world, request, id);
        const decision = this.decide(world, request, target, source);
        if (decision.kind !== 'merge' || source === null) {
          decided.push(describe(id, target, decision, 'merged'));
          continue;
        }
        const mergeId = world.newId();
        const allowDifferent = request.allowDifferentUnionIds;
        if (request.requireApproval || consenting.length > 0) {
          const needsApproval = request.requireApproval;
          const proposal = { mergeId, source, target, allowDifferent, evidence: null, needsApproval, consenting };
          const outcome = await proposeMerge(world, transaction, proposal, origin);
          decided.push({ sourceUserId: id, outcome, mergeId });
          continue;
        }
        const [requestedBy, requestedAt] = [origin.actor, world.now];
        const options = { mergeId, automatic: false, evidence: null, requestedBy, requestedAt, allowDifferent };
        fold(world, source, target, options, origin);
        decided.push({ sourceUserId: id, outcome: 'merged', mergeId, mergedInto: target.id });
      }
      refuseWhole(request.mode, decided, ledThere);
      for (const { outcome, mergeId } of decided)
        if (outcome === 'merged' && mergeId !== undefined)
          await expectAcknowledgements(transaction, target.entityId, 'merge', mergeId, world.now);
      return decided;
    });
  }

  private decide(
    world: World,
    request: Pick<MergeRequest, 'allowDifferentUnionIds'>,
    target: HeldUser,
    source: HeldUser | null,
  ): MergeDecision {
    return decideInWorld(world, {
      target,
      source,
      allowDifferentUnionIds: request.allowDifferentUnionIds,
      identitiesPerUserHardMax: this.settings.identitiesPerUserHardMax,
    });
  }
}

const rehearsalOrigin: Origin = { cause: 'admin', actor: '', requestId: null, traceparent: null, reason: null };

function rehearsal(world: World): FoldOptions {
  return { mergeId: world.newId(), automatic: false, evidence: null, requestedBy: '', requestedAt: world.now };
}

function locks(request: MergeRequest): { userIds: string[] } {
  return { userIds: [request.targetUserId, ...request.sourceUserIds].filter(isUserId) };
}

function refuseMalformed({ sourceUserIds, targetUserId }: MergeRequest): void {
  const message =
    sourceUserIds.length === 0 || sourceUserIds.length > sourcesMax
      ? `sourceUserIds must hold 1 to ${sourcesMax} ids`
      : new Set(sourceUserIds).size < sourceUserIds.length
        ? 'sourceUserIds must not name a user twice'
        : sourceUserIds.includes(targetUserId)
          ? 'the target must not be among the sources'
          : null;
  if (message !== null) throw new Refusal('invalid_request', message, { errors: [{ path: 'sourceUserIds', message }] });
}

function liveTarget(world: World, { targetUserId, entityId }: MergeRequest): HeldUser {
  const target = world.user(targetUserId);
  if (target === undefined || (entityId !== null && target.entityId !== entityId))
    throw new Refusal('user_not_found', 'no such target user');
  if (target.status === 'erased') throw new Refusal('user_erased', 'the target user was erased');
  if (target.status === 'merged')
    throw new Refusal('user_merged', 'the target user was merged into another', { mergedInto: target.leadsTo });
  return target;
}

/** Also a user of another entity than the target's is not there, even for the operator. */
function sourceOf(world: World, { targetUserId }: MergeRequest, id: string): HeldUser | null {
  const source = world.user(id);
  return source === undefined || source.entityId !== world.user(targetUserId)?.entityId ? null : source;
}

function describe<Merged extends string>(
  sourceUserId: string,
  target: HeldUser,
  decision: MergeDecision,
  merged: Merged,
): { sourceUserId: string; outcome: Merged | 'already_merged' | 'refused'; mergedInto?: string; code?: string } {
  switch (decision.kind) {
    case 'merge':
      return { sourceUserId, outcome: merged };
    case 'already_merged':
      return { sourceUserId, outcome: 'already_merged', mergedInto: target.id };
    case 'refused':
      return { sourceUserId, outcome: 'refused', code: decision.code, ...decision.details };
  }
}

/** In mode `all` one refusal refuses everybody; the innocent say so. */
function refuseWhole(
  mode: 'each' | 'all',
  results: readonly { outcome: string; sourceUserId: string }[],
  ledThere: ReadonlySet<string>,
): void {
  if (mode !== 'all' || results.every(({ outcome }) => outcome !== 'refused')) return;
  throw new Refusal('merge_refused', 'one source cannot be merged, so none was', {
    results: results.map((result) =>
      result.outcome === 'refused' || ledThere.has(result.sourceUserId)
        ? result
        : { sourceUserId: result.sourceUserId, outcome: 'refused', code: 'not_attempted' },
    ),
  });
}

function tokenOf(world: World, request: MergeRequest): string {
  const users = [request.targetUserId, ...request.sourceUserIds].map((id) => {
    const user = world.user(id);
    return [id, user?.status, user?.version, user?.leadsTo];
  });
  return createHash('sha256')
    .update(JSON.stringify([users, request.allowDifferentUnionIds, world.separations]))
    .digest('base64url');
}
