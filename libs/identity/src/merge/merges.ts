import { createHash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import type { Transaction } from '#store';
import { Database } from '#store';
import { expectAcknowledgements } from '../participant/participants.js';
import { Changes } from '../change/changes.js';
import type { FoldOptions } from '../change/fold.js';
import { fold } from '../change/fold.js';
import type { HeldUser, Origin, World } from '../change/world.js';
import { known } from '../change/world.js';
import { isUserId } from '../lookup/users.js';
import { Refusal } from '../problem.js';
import { IdentitySettings } from '../settings.js';
import type { MergeDecision } from './merge.decision.js';
import { decideMerge } from './merge.decision.js';

export interface MergeRequest {
  readonly targetUserId: string;
  readonly sourceUserIds: readonly string[];
  readonly allowDifferentUnionIds: boolean;
  readonly entityId: string | null;
}

export interface MergeOutcome {
  readonly sourceUserId: string;
  readonly outcome: 'merged' | 'already_merged' | 'refused' | 'pending_approval';
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
}

export const sourcesMax = 100;

/** Merging by hand: preview, request, approve, reject. Reverting is in revert.ts. */
@Injectable()
export class Merges {
  constructor(
    private readonly changes: Changes,
    private readonly database: Database,
    private readonly settings: IdentitySettings,
  ) {}

  /** What would happen, per source. Changes nothing; the token fails once the world changed. */
  async preview(request: MergeRequest): Promise<MergePreview> {
    refuseMalformed(request);
    return this.changes.rehearse(locks(request), (world) => {
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
      return { targetUserId: target.id, results, identitiesAfter: target.identities.length, previewToken };
    });
  }

  /** One transaction for all sources. Each source is a step of its own on the target. */
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
      const decided = request.sourceUserIds.map((id): MergeOutcome => {
        const source = sourceOf(world, request, id);
        const decision = this.decide(world, request, target, source);
        if (decision.kind !== 'merge' || source === null) return describe(id, target, decision, 'merged');
        const mergeId = world.newId();
        if (request.requireApproval) {
          proposeMerge(world, mergeId, source, target, request, origin);
          return { sourceUserId: id, outcome: 'pending_approval', mergeId };
        }
        const options = {
          mergeId,
          automatic: false,
          evidence: null,
          requestedBy: origin.actor,
          requestedAt: world.now,
          allowDifferent: request.allowDifferentUnionIds,
        };
        fold(world, source, target, options, origin);
        return { sourceUserId: id, outcome: 'merged', mergeId, mergedInto: target.id };
      });
      refuseWhole(request.mode, decided, ledThere);
      for (const { outcome, mergeId } of decided)
        if (outcome === 'merged' && mergeId !== undefined)
          await expectAcknowledgements(transaction, target.entityId, 'merge', mergeId, world.now);
      return decided;
    });
  }

  /** By another key than the requester's; what changed since the request makes it stale. */
  async approve(mergeId: string, entityId: string | null, origin: Origin): Promise<void> {
    const merge = await this.pending(mergeId, entityId);
    if (merge.requested_by === origin.actor)
      throw new Refusal('same_requester', 'a merge is approved by another key than the one that asked for it');
    const stale = await this.changes.run(
      { userIds: [merge.source_user_id, merge.target_user_id] },
      async (world, transaction) => {
        await refuseDecided(transaction, mergeId);
        const source = world.user(merge.source_user_id);
        const target = world.user(merge.target_user_id);
        const unchanged =
          source?.status === 'live' &&
          target?.status === 'live' &&
          source.version === merge.source_version &&
          target.version === merge.target_version;
        const request = { allowDifferentUnionIds: merge.allow_different };
        if (!unchanged || this.decide(world, request, target, source).kind !== 'merge') {
          await setStatus(transaction, mergeId, 'stale', origin);
          return true;
        }
        const options = {
          mergeId,
          automatic: false,
          evidence: null,
          requestedBy: merge.requested_by,
          requestedAt: merge.requested_at.toISOString(),
          allowDifferent: merge.allow_different,
        };
        fold(world, source, target, options, { ...origin, reason: merge.reason });
        await expectAcknowledgements(transaction, target.entityId, 'merge', mergeId, world.now);
        return false;
      },
    );
    if (stale) throw new Refusal('merge_stale', 'one of the users changed since the merge was requested');
  }

  async reject(mergeId: string, entityId: string | null, origin: Origin): Promise<void> {
    await this.pending(mergeId, entityId);
    await this.database.transaction(async (transaction) => {
      await refuseDecided(transaction, mergeId);
      await setStatus(transaction, mergeId, 'rejected', origin);
    });
  }

  private decide(
    world: World,
    request: Pick<MergeRequest, 'allowDifferentUnionIds'>,
    target: HeldUser,
    source: HeldUser | null,
  ): MergeDecision {
    return decideMerge({
      target: known(target),
      source: source === null ? null : { ...known(source), status: source.status, leadsTo: source.leadsTo },
      separated: source !== null && world.areSeparated(source.id, target.id),
      allowDifferentUnionIds: request.allowDifferentUnionIds,
      identitiesPerUserHardMax: this.settings.identitiesPerUserHardMax,
    });
  }

  private async pending(mergeId: string, entityId: string | null): Promise<PendingMerge> {
    const [merge] = isUserId(mergeId)
      ? await this.database.query<PendingMerge & Record<string, unknown>>({
          text: 'SELECT * FROM merge WHERE id = $1 AND ($2::text IS NULL OR entity_id = $2)',
          values: [mergeId, entityId],
        })
      : [];
    if (merge === undefined) throw new Refusal('merge_not_found', 'no such merge');
    if (merge.status !== 'pending_approval') throw new Refusal('merge_stale', `this merge is ${merge.status} already`);
    return merge;
  }
}

const rehearsalOrigin: Origin = { cause: 'admin', actor: '', requestId: null, traceparent: null, reason: null };

function rehearsal(world: World): FoldOptions {
  return { mergeId: world.newId(), automatic: false, evidence: null, requestedBy: '', requestedAt: world.now };
}

interface PendingMerge {
  readonly status: string;
  readonly source_user_id: string;
  readonly target_user_id: string;
  readonly source_version: number;
  readonly target_version: number;
  readonly requested_by: string;
  readonly requested_at: Date;
  readonly reason: string | null;
  readonly allow_different: boolean;
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

function proposeMerge(
  world: World,
  id: string,
  source: HeldUser,
  target: HeldUser,
  request: MergeRequest,
  origin: Origin,
): void {
  world.write('merges', {
    id,
    entityId: target.entityId,
    sourceUserId: source.id,
    targetUserId: target.id,
    status: 'pending_approval',
    automatic: false,
    reason: origin.reason,
    requestedBy: origin.actor,
    allowDifferent: request.allowDifferentUnionIds,
    movedIdentities: [],
    movedUnionIds: [],
    sourceVersion: source.version,
    targetVersion: target.version,
    requestedAt: world.now,
  });
}

async function refuseDecided(transaction: Transaction, mergeId: string): Promise<void> {
  const [row] = await transaction.query<{ status: string }>({
    text: 'SELECT status FROM merge WHERE id = $1 FOR UPDATE',
    values: [mergeId],
  });
  if (row?.status !== 'pending_approval') throw new Refusal('merge_stale', `this merge is ${row?.status} already`);
}

async function setStatus(transaction: Transaction, mergeId: string, status: string, origin: Origin): Promise<void> {
  await transaction.query({
    text: 'UPDATE merge SET status = $2, decided_by = $3 WHERE id = $1',
    values: [mergeId, status, origin.actor],
  });
}
