import { Injectable } from '@nestjs/common';
import { Changes } from '../change/changes.js';
import type { HeldUser, Origin, World } from '../change/world.js';
import type { LiveUser } from '../lookup/users.js';
import { isUserId } from '../lookup/users.js';
import { Refusal } from '../problem.js';

export interface IdentityRef {
  readonly appId: string;
  readonly openId: string;
}

/** Chosen identities leave a user and become a new one; the two are separated (P6). Union keys stay. */
@Injectable()
export class Splits {
  constructor(private readonly changes: Changes) {}

  async split(
    userId: string,
    leaving: readonly IdentityRef[],
    entityId: string | null,
    origin: Origin,
  ): Promise<LiveUser> {
    if (new Set(leaving.map(({ appId, openId }) => `${appId}:${openId}`)).size < leaving.length)
      throw new Refusal('invalid_request', 'identities must not name one twice', {
        errors: [{ path: 'identities', message: 'identities must not name one twice' }],
      });
    return this.changes.run({ userIds: [userId].filter(isUserId) }, (world) => {
      const user = requireLive(world, userId, entityId);
      const identities = leaving.map(({ appId, openId }) => {
        const identity = user.identities.find((one) => one.appId === appId && one.openId === openId);
        if (identity === undefined)
          throw new Refusal('identity_not_found', 'this user does not own one of the identities', { appId });
        return identity;
      });
      if (identities.length === user.identities.length)
        throw new Refusal('last_identity', 'a split must leave the user at least one identity');
      const created = world.create(user.entityId);
      for (const identity of identities) world.move(identity, user, created);
      const shown = identities.map(({ appId, openId, linkedAt }) => ({ appId, openId, linkedAt }));
      world.step(user, 'identity.UserSplit.v1', { newUserId: created.id, identities: shown }, origin, null);
      const linked = { identity: shown[0], created: true, previousUserId: user.id };
      world.step(created, 'identity.UserLinked.v1', linked, origin, null);
      world.separate(user, created, origin);
      return shownUser(created);
    });
  }
}

/** The live user of that very id. Throws `user_not_found`, `user_erased`, or `user_merged` with where it leads. */
export function requireLive(world: World, userId: string, entityId: string | null): HeldUser {
  const user = world.user(userId);
  if (user === undefined || (entityId !== null && user.entityId !== entityId))
    throw new Refusal('user_not_found', 'no such user');
  if (user.status === 'erased') throw new Refusal('user_erased', 'this user was erased', { userId });
  if (user.status === 'merged')
    throw new Refusal('user_merged', 'this user was merged into another', { mergedInto: user.leadsTo });
  return user;
}

export function shownUser(user: HeldUser): LiveUser {
  return {
    id: user.id,
    entityId: user.entityId,
    status: 'live',
    version: user.version,
    createdAt: user.createdAt,
    unionIds: user.unionKeys
      .filter((key) => key.retiredAt === null)
      .map(({ openPlatformId, unionId }) => ({ openPlatformId, unionId })),
    identities: user.identities.map(({ appId, openId, linkedAt }) => ({ appId, openId, linkedAt })),
  };
}
