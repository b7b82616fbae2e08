import type { HeldUser, Origin, World } from './world.js';

export interface FoldOptions {
  readonly mergeId: string;
  readonly automatic: boolean;
  readonly evidence: object | null;
  readonly requestedBy: string;
  readonly requestedAt: string;
  readonly allowDifferent?: boolean;
}

/**
 * Folds the source into the target: everything it owns moves, its id leads on for ever, and what moved is remembered for
 * the day somebody undoes it. One step on each of the two.
 */
export function fold(world: World, source: HeldUser, target: HeldUser, options: FoldOptions, origin: Origin): void {
  const movedIdentities = source.identities.map(({ appId, openId, linkedAt }) => ({ appId, openId, linkedAt }));
  const movedUnionIds = source.unionKeys.map(({ openPlatformId, unionId }) => ({ openPlatformId, unionId }));
  world.write('merges', {
    id: options.mergeId,
    entityId: target.entityId,
    sourceUserId: source.id,
    targetUserId: target.id,
    status: 'merged',
    automatic: options.automatic,
    reason: origin.reason,
    requestedBy: options.requestedBy,
    decidedBy: origin.actor,
    allowDifferent: options.allowDifferent ?? false,
    evidence: options.evidence,
    movedIdentities,
    movedUnionIds,
    sourceCreatedAt: source.createdAt,
    targetCreatedAt: target.createdAt,
    sourceVersion: source.version + 1,
    targetVersion: target.version + 1,
    requestedAt: options.requestedAt,
    mergedAt: world.now,
  });
  for (const identity of source.identities) world.move(identity, source, target);
  for (const key of source.unionKeys) world.moveKey(key, source, target);
  if (source.createdAt < target.createdAt) target.createdAt = source.createdAt;
  world.redirect(source, target);
  const { mergeId, automatic, evidence } = options;
  world.step(source, 'identity.UserRedirected.v1', { mergeId, mergedInto: target.id }, origin, evidence);
  world.step(
    target,
    'identity.UserMerged.v1',
    {
      mergeId,
      sourceUserId: source.id,
      movedIdentities: movedIdentities.map(({ appId, openId, linkedAt }) => ({ appId, openId, linkedAt })),
      movedUnionIds,
      automatic,
    },
    origin,
    evidence,
  );
}
