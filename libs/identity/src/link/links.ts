import { Injectable } from '@nestjs/common';
import { Database } from '#store';
import { Fingerprints } from '../access/fingerprints.js';
import { Changes } from '../change/changes.js';
import type { Origin } from '../change/world.js';
import type { LiveUser } from '../lookup/users.js';
import { isUserId } from '../lookup/users.js';
import { Refusal } from '../problem.js';
import { isPlaceholder } from '../resolve/observation.dto.js';
import { IdentitySettings } from '../settings.js';
import type { IdentityRef } from '../split/splits.js';
import { requireLive, shownUser } from '../split/splits.js';

interface Linked {
  readonly identity: IdentityRef & { readonly linkedAt: string };
  readonly user: LiveUser;
}

/** Linking and unlinking one identity by hand. An unlink is a correction: later evidence may bring the identity back. */
@Injectable()
export class Links {
  constructor(
    private readonly changes: Changes,
    private readonly database: Database,
    private readonly settings: IdentitySettings,
    private readonly fingerprints: Fingerprints,
  ) {}

  async link(
    ref: IdentityRef,
    userId: string,
    entityId: string | null,
    origin: Origin,
  ): Promise<Linked & { created: boolean }> {
    if (isPlaceholder(ref.openId))
      throw new Refusal('invalid_request', 'openId is a placeholder, not an id', {
        errors: [{ path: 'openId', message: 'openId is a placeholder, not an id' }],
      });
    const app = await this.database.prisma.app.findUnique({ where: { id: ref.appId } });
    if (app === null || (entityId !== null && app.entityId !== entityId))
      throw new Refusal('app_not_found', 'no such app');
    return this.changes.run({ identities: [ref], userIds: [userId].filter(isUserId) }, (world) => {
      const user = requireLive(world, userId, app.entityId);
      const owner = world.ownerOf(ref.appId, ref.openId);
      if (owner !== undefined && owner !== user)
        throw new Refusal('identity_owned', 'the identity belongs to another user', { ownerUserId: owner.id });
      const held = user.identities.find(({ appId, openId }) => appId === ref.appId && openId === ref.openId);
      if (held !== undefined) return { created: false, identity: shown(held), user: shownUser(user) };
      if (user.identities.length + 1 > this.settings.identitiesPerUserHardMax)
        throw new Refusal('too_many_identities', 'the user would hold too many identities');
      const identity = world.link(user, { ...ref, source: 'operator' }, null);
      const linked = { identity: shown(identity), created: false, previousUserId: null };
      world.step(user, 'identity.UserLinked.v1', linked, origin, null);
      return { created: true, identity: shown(identity), user: shownUser(user) };
    });
  }

  async unlink(ref: IdentityRef, entityId: string | null, origin: Origin): Promise<Linked> {
    return this.changes.run({ identities: [ref] }, (world) => {
      const owner = world.ownerOf(ref.appId, ref.openId);
      if (owner === undefined || (entityId !== null && owner.entityId !== entityId))
        throw new Refusal('identity_not_found', 'no such identity');
      if (owner.identities.length === 1)
        throw new Refusal('last_identity', 'the last identity of a user stays: erase the user instead');
      const identity = owner.identities.find(({ appId, openId }) => appId === ref.appId && openId === ref.openId);
      if (identity === undefined) throw new Error('an owned identity is held by its owner');
      world.unlink(identity, owner);
      const fingerprint = this.fingerprints.of(ref.appId, ref.openId);
      world.write('departed', { fingerprint, at: world.now, erased: false });
      world.unlinked.push({ fingerprint, userId: owner.id });
      world.step(owner, 'identity.UserUnlinked.v1', { identity: shown(identity) }, origin, null);
      return { identity: shown(identity), user: shownUser(owner) };
    });
  }
}

function shown({ appId, openId, linkedAt }: Linked['identity']): Linked['identity'] {
  return { appId, openId, linkedAt };
}
