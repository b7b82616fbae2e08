import { Injectable } from '@nestjs/common';
import type { Transaction } from '#store';
import { readConsenting } from '#store';
import { Changes } from '../change/changes.js';
import { fold } from '../change/fold.js';
import type { HeldUser, Origin, World } from '../change/world.js';
import { proposeMerge } from '../consent/propose-merge.js';
import { expectAcknowledgements } from '../participant/participants.js';
import { Refusal } from '../problem.js';
import { IdentitySettings } from '../settings.js';
import type { ConflictView } from './conflicts.js';
import { Conflicts } from './conflicts.js';

export const decisions = ['keep', 'merge', 'move_identity', 'rekey', 'separate'] as const;
export type Decision = (typeof decisions)[number];

/** What a human decides of a conflict, done and written down in one transaction. */
@Injectable()
export class ConflictDecisions {
  constructor(
    private readonly changes: Changes,
    private readonly conflicts: Conflicts,
    private readonly settings: IdentitySettings,
  ) {}

  async decide(id: string, decision: Decision, entityId: string | null, origin: Origin): Promise<ConflictView> {
    const conflict = await this.conflicts.get(id, entityId);
    const { appId, openId, unionId, openPlatformId } = conflict;
    await this.changes.run(
      {
        identities: [{ appId, openId }],
        unionKeys: await this.keysOf(conflict, entityId),
        userIds: conflict.userIds,
      },
      async (world, transaction) => {
        await refuseDecided(transaction, id);
        const owner = world.ownerOf(appId, openId);
        if (owner === undefined) throw stale('its identity was unlinked or erased meanwhile');
        const keyOwner = world.keyOwner(owner.entityId, openPlatformId, unionId);
        // First, so that carrying it out does not end it as overtaken: the human's word stands.
        world.resolveConflicts(owner.entityId, ({ id: one }) => one === id, decision, origin);
        await this.carryOut(decision, { world, transaction, conflict, owner, keyOwner, origin });
      },
    );
    return this.conflicts.get(id, entityId);
  }

  private async carryOut(decision: Decision, at: Place): Promise<void> {
    if (decision === 'keep') return;
    if (decision === 'rekey') {
      rekey(at);
      return;
    }
    const other = otherParty(at);
    if (decision === 'separate') {
      at.world.separate(at.owner, other, at.origin);
      return;
    }
    if (decision === 'move_identity') {
      refuseLast(at.owner);
      this.refuseMoreThan(other.identities.length + 1, 'the user would hold too many identities');
      moveIdentity(at, other);
      return;
    }
    if (at.world.areSeparated(at.owner.id, other.id))
      throw new Refusal('separated', 'the two users were separated by a decision: remove it first');
    const together = at.owner.identities.length + other.identities.length;
    this.refuseMoreThan(together, 'the merged user would hold too many identities');
    const mergeId = at.world.newId();
    const [requestedBy, requestedAt] = [at.origin.actor, at.world.now];
    const evidence = { conflictId: at.conflict.id };
    const consenting = await readConsenting(at.transaction, other.entityId);
    if (consenting.length > 0) {
      // Decided it is, by the human; if a participant refuses, the next evidence opens the conflict anew.
      const parties = { mergeId, source: at.owner, target: other, allowDifferent: true, needsApproval: false };
      await proposeMerge(at.world, at.transaction, { ...parties, evidence, consenting }, at.origin);
      return;
    }
    const options = { mergeId, automatic: false, evidence, requestedBy, requestedAt, allowDifferent: true };
    fold(at.world, at.owner, other, options, at.origin);
    await expectAcknowledgements(at.transaction, other.entityId, 'merge', mergeId, at.world.now);
  }

  private refuseMoreThan(identities: number, message: string): void {
    if (identities > this.settings.identitiesPerUserHardMax) throw new Refusal('too_many_identities', message);
  }

  private async keysOf(conflict: ConflictView, entityId: string | null) {
    const entity = entityId ?? (await this.conflicts.entityOf(conflict.id));
    return [{ entityId: entity, openPlatformId: conflict.openPlatformId, unionId: conflict.unionId }];
  }
}

interface Place {
  readonly world: World;
  readonly transaction: Transaction;
  readonly conflict: ConflictView;
  readonly owner: HeldUser;
  readonly keyOwner: HeldUser | undefined;
  readonly origin: Origin;
}

function stale(why: string): Refusal {
  return new Refusal('conflict_stale', `this conflict cannot be decided any more: ${why}`);
}

async function refuseDecided(transaction: Transaction, id: string): Promise<void> {
  const [row] = await transaction.query<{ status: string; decision: string | null }>({
    text: 'SELECT status, decision FROM conflict WHERE id = $1 FOR UPDATE',
    values: [id],
  });
  if (row?.status !== 'open') throw stale(`it was resolved as ${row?.decision}`);
}

/** The owner of the unionId, who survives; where nobody owns it, the other user named when the conflict opened. */
function otherParty({ world, conflict, owner, keyOwner }: Place): HeldUser {
  if (keyOwner !== undefined && keyOwner !== owner) return keyOwner;
  const other = conflict.userIds.map((id) => world.user(id)).find((user) => user !== undefined && user !== owner);
  if (other?.status !== 'live') throw stale('there is no second user to decide about');
  return other;
}

/** The unionId of the evidence replaces the one that is held. */
function rekey({ world, conflict, owner, keyOwner, origin }: Place): void {
  const { openPlatformId, unionId } = conflict;
  if (keyOwner !== undefined) throw stale('a live user owns that unionId');
  const held = owner.unionKeys.filter((key) => key.openPlatformId === openPlatformId && key.retiredAt === null);
  for (const key of held) world.retireKey(key, owner);
  world.attachKey(owner, openPlatformId, unionId);
  const from = held[0] === undefined ? null : { openPlatformId, unionId: held[0].unionId };
  const to = { openPlatformId, unionId };
  if (from === null) world.step(owner, 'identity.UserKeyed.v1', to, origin, null);
  else world.step(owner, 'identity.UserRekeyed.v1', { from, to }, origin, null);
}

function refuseLast(owner: HeldUser): void {
  if (owner.identities.length === 1)
    throw new Refusal('last_identity', 'the last identity of a user stays: merge the users instead');
}

function moveIdentity({ world, conflict, owner, origin }: Place, other: HeldUser): void {
  const { appId, openId } = conflict;
  const identity = owner.identities.find((one) => one.appId === appId && one.openId === openId);
  if (identity === undefined) throw stale('its identity moved meanwhile');
  world.move(identity, owner, other);
  const shown = { appId, openId, linkedAt: identity.linkedAt };
  world.step(owner, 'identity.UserUnlinked.v1', { identity: shown }, origin, null);
  const linked = { identity: shown, created: false, previousUserId: owner.id };
  world.step(other, 'identity.UserLinked.v1', linked, origin, null);
}
