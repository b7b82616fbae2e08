import { setTimeout as delay } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import type { Transaction, WaitingPush } from '#store';
import {
  countParkedPushes,
  Database,
  failPush,
  holdDuty,
  isUnavailable,
  leaveDuty,
  readWaitingPushes,
  scheduleLookup,
  setSubscriptions,
  sweepPushes,
  takePushes,
} from '#store';
import { isByPerson } from '#wechat';
import { v7 } from 'uuid';
import { Fingerprints } from '../access/fingerprints.js';
import { Changes } from '../change/changes.js';
import type { HeldUser, Origin, World } from '../change/world.js';
import { eraseUser } from '../erase/erase-user.js';
import { Resolver } from '../resolve/resolver.js';
import { Pushes } from './pushes.js';

const batchMax = 200;
/** While so many arrive here in a second, as long as a batch took is rested after it. */
const arrivalsPerRest = 100;
const restsPerWorkMax = 9;
const restMaxMs = 2_000;
const attemptsMax = 5;
/** WeChat says `subscribe:0` for a moment after somebody followed (facts 1.5 row 7). */
const firstLookupSeconds = 5;
const duty = 'pushes';
/** WeChat repeats a push for seconds, and one that is replayed is refused after ten minutes; who looks into a failure has a month. */
const keptDays = { done: 7, parked: 30 };

const origin: Origin = { cause: 'push', actor: 'wechat', requestId: null, traceparent: null, reason: null };

/**
 * Handles stored pushes, in the order of WeChat's own time, on one replica at a time. A push is marked as handled in the
 * transaction of its effect, so a kill in between repeats nothing and loses nothing.
 */
@Injectable()
export class PushWorker {
  private readonly owner = v7();

  constructor(
    private readonly database: Database,
    private readonly resolver: Resolver,
    private readonly changes: Changes,
    private readonly fingerprints: Fingerprints,
    private readonly pushes: Pushes,
  ) {}

  /** Answers how many were handled; 0 also where another replica does it. */
  async run(): Promise<number> {
    let handled = 0;
    for (;;) {
      const waiting = await readWaitingPushes(this.database, batchMax);
      if (waiting.length === 0 || !(await holdDuty(this.database, duty, this.owner))) return handled;
      const began = performance.now();
      await this.handle(waiting);
      handled += waiting.length;
      if (waiting.length < batchMax) return handled;
      // On a busy day most of the time belongs to those that arrive: they must be answered in time, and these need not.
      const rests = Math.min(this.pushes.arrivedPerSecond() / arrivalsPerRest, restsPerWorkMax);
      await delay(Math.min((performance.now() - began) * rests, restMaxMs));
    }
  }

  /** How many nobody could read or handle. */
  countParked(): Promise<number> {
    return countParkedPushes(this.database);
  }

  sweep(): Promise<number> {
    return sweepPushes(this.database, keptDays);
  }

  async stop(): Promise<void> {
    await leaveDuty(this.database, duty, this.owner);
  }

  private async handle(pushes: readonly WaitingPush[]): Promise<void> {
    try {
      await this.observe(pushes);
      await this.apply(pushes);
    } catch (error) {
      // Says nothing about the push: it is tried again when the database is back.
      if (isUnavailable(error)) throw error;
      const [only] = pushes;
      if (pushes.length > 1) for (const push of pushes) await this.handle([push]);
      else if (only !== undefined) {
        const reason = error instanceof Error ? error.name : 'unknown';
        await failPush(this.database, only.id, reason, attemptsMax);
      }
    }
  }

  /** Everybody who did something is known from then on; who left or cancelled is not made anew by that. */
  private async observe(pushes: readonly WaitingPush[]): Promise<void> {
    const seen = pushes.filter(({ message }) => isByPerson(message) && !departures.has(message.event ?? ''));
    if (seen.length === 0) return;
    const asker = { ...origin, entityId: null };
    await this.resolver.resolve(
      seen.map(({ app_id, message }) => ({
        appId: app_id,
        openId: message.openId,
        unionId: message.unionId,
        source: 'push_event',
        observedAt: new Date(Math.min(Date.parse(message.createdAt), Date.now())),
      })),
      asker,
    );
  }

  private async apply(pushes: readonly WaitingPush[]): Promise<void> {
    const identities = pushes.map(({ app_id, message }) => ({ appId: app_id, openId: message.openId }));
    await this.changes.run({ identities }, async (world, transaction) => {
      const mine = await takePushes(
        transaction,
        pushes.map(({ id }) => id),
      );
      for (const push of pushes) if (mine.has(push.id)) await this.applyOne(world, transaction, push);
    });
  }

  private async applyOne(world: World, transaction: Transaction, push: WaitingPush): Promise<void> {
    const { app_id: appId, message } = push;
    const { openId, event } = message;
    const user = world.ownerOf(appId, openId);
    const about = { appId, openId };
    const tell = (type: string, more: object = {}): void => {
      if (user !== undefined) world.notice(user.entityId, user.id, type, { ...about, ...more }, origin);
    };
    switch (event) {
      case 'subscribe':
      case 'unsubscribe': {
        const subscribed = event === 'subscribe';
        const changed = await setSubscriptions(transaction, [{ ...about, subscribed, at: message.createdAt }]);
        if (changed.size > 0) tell('identity.SubscriptionChanged.v1', { subscribed });
        if (subscribed && needsLookup(user)) await schedule(transaction, push);
        return;
      }
      case 'scan':
        if (needsLookup(user)) await schedule(transaction, push);
        return;
      case 'user_info_modified':
        tell('identity.ProfileCleared.v1');
        return;
      case 'user_authorization_revoke':
        tell('identity.ConsentRevoked.v1', {
          revoked: (message.revokeInfo ?? '').split(',').filter((one) => one !== ''),
        });
        return;
      case 'user_authorization_cancellation':
        if (user !== undefined) await this.cancel(world, transaction, user, about);
        return;
      default:
    }
  }

  /** The person closed the account: the identity goes at once, and with the last one everything. */
  private async cancel(
    world: World,
    transaction: Transaction,
    user: HeldUser,
    about: { readonly appId: string; readonly openId: string },
  ): Promise<void> {
    const identity = user.identities.find((one) => one.appId === about.appId && one.openId === about.openId);
    if (identity === undefined) return;
    if (user.identities.length === 1) {
      const reason = 'WeChat: the person closed the account';
      await eraseUser(world, transaction, user, this.fingerprints, { ...origin, reason });
      const gone = { appId: about.appId, openId: 'erased' };
      world.notice(user.entityId, user.id, 'identity.AccountCancelled.v1', gone, origin);
      return;
    }
    world.unlink(identity, user);
    const fingerprint = this.fingerprints.of(about.appId, about.openId);
    world.write('departed', { fingerprint, at: world.now, erased: true });
    const shown = { ...about, linkedAt: identity.linkedAt };
    world.step(user, 'identity.UserUnlinked.v1', { identity: shown }, origin, null);
    world.notice(user.entityId, user.id, 'identity.AccountCancelled.v1', about, origin);
  }
}

const departures = new Set(['unsubscribe', 'user_authorization_cancellation']);

function needsLookup(user: HeldUser | undefined): boolean {
  return user === undefined || user.unionKeys.every((key) => key.retiredAt !== null);
}

function schedule(transaction: Transaction, { app_id, entity_id, message }: WaitingPush): Promise<void> {
  return scheduleLookup(transaction, {
    appId: app_id,
    openId: message.openId,
    entityId: entity_id,
    dueInSeconds: firstLookupSeconds,
  });
}
