import { Injectable } from '@nestjs/common';
import type { Transaction } from '#store';
import { Database } from '#store';
import { Changes } from '../change/changes.js';
import type { HeldIdentity, HeldKey, HeldUser, Origin, World } from '../change/world.js';
import { isUserId } from '../lookup/users.js';
import { expectAcknowledgements } from '../participant/participants.js';
import { Refusal } from '../problem.js';

export interface RevertResult {
  readonly outcome: 'reverted' | 'already_reverted';
  readonly mergeId: string;
  readonly sourceUserId: string;
  readonly targetUserId: string;
}

interface MergeRow {
  readonly status: string;
  readonly source_user_id: string;
  readonly target_user_id: string;
  readonly merged_at: Date | null;
  readonly moved_identities: readonly { readonly appId: string; readonly openId: string }[];
  readonly moved_union_ids: readonly { readonly openPlatformId: string; readonly unionId: string }[];
}

/**
 * Undoes one named merge from what was remembered: a new operation, not a rollback. The source gets back what it brought;
 * what was linked since through a key that returns goes with that key; everything else stays. The two are separated, so
 * the evidence that joined them opens a conflict instead of joining them again (P6).
 */
@Injectable()
export class Reverts {
  constructor(
    private readonly changes: Changes,
    private readonly database: Database,
  ) {}

  async revert(mergeId: string, entityId: string | null, origin: Origin): Promise<RevertResult> {
    const [found] = isUserId(mergeId)
      ? await this.database.query<MergeRow & Record<string, unknown>>({
          text: 'SELECT * FROM merge WHERE id = $1 AND ($2::text IS NULL OR entity_id = $2)',
          values: [mergeId, entityId],
        })
      : [];
    if (found === undefined) throw new Refusal('merge_not_found', 'no such merge');
    const parties = { mergeId, sourceUserId: found.source_user_id, targetUserId: found.target_user_id };
    return this.changes.run(
      { userIds: [parties.sourceUserId, parties.targetUserId] },
      async (world, transaction): Promise<RevertResult> => {
        const merge = await currentMerge(transaction, mergeId);
        if (merge.status === 'reverted') return { outcome: 'already_reverted', ...parties };
        if (merge.status !== 'merged') throw new Refusal('merge_stale', `this merge is ${merge.status}`);
        const { source, target } = await partiesOf(world, transaction, parties);
        const returned = returnWhatItBrought(world, merge, source, target);
        world.restore(source);
        target.createdAt = await createdAtWithout(transaction, source, target);
        world.write('revertedMerges', {
          id: mergeId,
          revertedAt: world.now,
          reason: origin.reason,
          revertedBy: origin.actor,
        });
        const { identities, keys } = returned;
        const specifics = {
          mergeId,
          sourceUserId: source.id,
          returnedIdentities: identities.map(({ appId, openId, linkedAt }) => ({ appId, openId, linkedAt })),
          returnedUnionIds: keys.map(({ openPlatformId, unionId }) => ({ openPlatformId, unionId })),
        };
        world.step(target, 'identity.MergeReverted.v1', specifics, origin, null);
        world.step(source, 'identity.UserRestored.v1', { mergeId }, origin, null);
        world.separate(source, target, origin);
        await expectAcknowledgements(transaction, target.entityId, 'revert', mergeId, world.now);
        return { outcome: 'reverted', ...parties };
      },
    );
  }
}

async function currentMerge(transaction: Transaction, mergeId: string): Promise<MergeRow> {
  const [row] = await transaction.query<MergeRow & Record<string, unknown>>({
    text: 'SELECT * FROM merge WHERE id = $1 FOR UPDATE',
    values: [mergeId],
  });
  if (row === undefined) throw new Refusal('merge_not_found', 'no such merge');
  return row;
}

async function partiesOf(
  world: World,
  transaction: Transaction,
  { sourceUserId, targetUserId }: { sourceUserId: string; targetUserId: string },
): Promise<{ source: HeldUser; target: HeldUser }> {
  const source = world.user(sourceUserId);
  const target = world.user(targetUserId);
  if (source === undefined || target === undefined) throw new Error('the users of a merge are never forgotten');
  if (await isErased(transaction, target))
    throw new Refusal('user_erased', 'the merged user was erased: nothing can be given back');
  if (target.status === 'merged') {
    const [later] = await transaction.query<{ id: string }>({
      text: `SELECT id FROM merge WHERE source_user_id = $1 AND status = 'merged'`,
      values: [target.id],
    });
    throw new Refusal('merge_superseded', 'the target was merged on since: revert the later merge first', {
      blockingMergeId: later?.id ?? null,
    });
  }
  return { source, target };
}

/** Also as an alias of somebody who was erased. */
async function isErased(transaction: Transaction, user: HeldUser): Promise<boolean> {
  if (user.status === 'erased' || user.leadsTo === null) return user.status === 'erased';
  const [end] = await transaction.query<{ status: string }>({
    text: 'SELECT status FROM users WHERE id = $1',
    values: [user.leadsTo],
  });
  return end?.status === 'erased';
}

function returnWhatItBrought(
  world: World,
  merge: MergeRow,
  source: HeldUser,
  target: HeldUser,
): { identities: HeldIdentity[]; keys: HeldKey[] } {
  const brought = new Set(merge.moved_identities.map(({ appId, openId }) => `${appId}:${openId}`));
  const broughtKeys = new Set(merge.moved_union_ids.map((key) => `${key.openPlatformId}\n${key.unionId}`));
  const keys = target.unionKeys.filter((key) => broughtKeys.has(`${key.openPlatformId}\n${key.unionId}`));
  const since = merge.merged_at?.toISOString() ?? '';
  const identities = target.identities.filter(
    (identity) =>
      brought.has(`${identity.appId}:${identity.openId}`) ||
      (identity.linkedAt >= since && broughtKeys.has(`${identity.viaOpenPlatformId}\n${identity.viaUnionId}`)),
  );
  for (const key of keys) world.moveKey(key, target, source);
  for (const identity of identities) world.move(identity, target, source);
  return { identities, keys };
}

/** The survivor's age without the source: its own, or that of the oldest who is still folded into it. */
async function createdAtWithout(transaction: Transaction, source: HeldUser, target: HeldUser): Promise<string> {
  const [row] = await transaction.query<{ oldest: Date | null }>({
    text: `SELECT min(created_at) AS oldest FROM users WHERE merged_into = $1 AND id <> $2`,
    values: [target.id, source.id],
  });
  const oldest = row?.oldest?.toISOString();
  return oldest !== undefined && oldest < target.ownCreatedAt ? oldest : target.ownCreatedAt;
}
