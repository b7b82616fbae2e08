import type { Transaction } from '#store';
import { forget, forgetRetired, readAliases, redactText, revokeUserSessions } from '#store';
import type { Fingerprints } from '../access/fingerprints.js';
import type { HeldUser, Origin, World } from '../change/world.js';
import { sessionSeconds } from '../login/sessions.js';
import { expectAcknowledgements } from '../participant/participants.js';

/** Destroys a live user's data within a change. Answers the erasure's id. */
export async function eraseUser(
  world: World,
  transaction: Transaction,
  user: HeldUser,
  fingerprints: Fingerprints,
  origin: Origin,
): Promise<string> {
  const aliases = await readAliases(transaction, user.id);
  const userIds = [user.id, ...aliases];
  const destroyed = { identities: user.identities.length, unionIds: user.unionKeys.length, aliases: aliases.length };
  const { entityId, identities, unionKeys } = user;
  const unsaid = { ...origin, reason: null };
  const { redacted, endedConflicts, texts } = await forget(transaction, { entityId, userIds, identities, unionKeys });
  const retired = await forgetRetired(transaction, user.identities);
  for (const identity of user.identities) {
    const fingerprint = fingerprints.of(identity.appId, identity.openId);
    world.write('departed', { fingerprint, at: world.now, erased: true });
    world.unlink(identity, user);
  }
  for (const { appId, openId } of retired)
    world.write('departed', { fingerprint: fingerprints.of(appId, openId), at: world.now, erased: true });
  for (const key of user.unionKeys) world.dropKey(key, user);
  user.status = 'erased';
  world.conflictsForgotten(entityId, endedConflicts, unsaid);
  const erasureId = world.newId();
  world.step(user, 'identity.UserErased.v1', { erasureId }, unsaid, null);
  await transaction.query({
    text: `INSERT INTO erasure (id, entity_id, user_id, reason, actor, requested_at, destroyed, redacted)
      VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
    values: [
      erasureId,
      user.entityId,
      user.id,
      // Why they were erased is kept, as what answers for it; the ids that somebody may have put there are not.
      origin.reason === null ? null : redactText(origin.reason, texts),
      origin.actor,
      world.now,
      JSON.stringify(destroyed),
      redacted,
    ],
  });
  await revokeUserSessions(transaction, { entityId: user.entityId, userIds, sessionSeconds });
  await expectAcknowledgements(transaction, user.entityId, 'erasure', erasureId, world.now);
  return erasureId;
}
