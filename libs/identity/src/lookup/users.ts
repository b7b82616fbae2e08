import { Injectable } from '@nestjs/common';
import type { UserState } from '#events';
import type { HistoryRow, UserFilter, UserView } from '#store';
import {
  Database,
  listUsers,
  readHistory,
  readIdentities,
  readLeadersAsOf,
  readOwnerAsOf,
  readRetiredIdentities,
  readStateAsOf,
  readUsers,
} from '#store';
import { Fingerprints } from '../access/fingerprints.js';
import { Refusal } from '../problem.js';

export interface LiveUser {
  readonly id: string;
  readonly entityId: string;
  readonly status: 'live';
  readonly version: number;
  readonly createdAt: string;
  readonly unionIds: UserView['unionIds'];
  readonly identities: UserView['identities'];
}

/** One audit entry: one version step. */
export interface HistoryEntry {
  readonly userId: string;
  readonly version: number;
  readonly at: string;
  readonly action: string;
  readonly actor: string;
  readonly cause: string;
  readonly reason: string | null;
  readonly requestId: string | null;
  readonly before: UserState | null;
  readonly after: UserState | null;
  readonly evidence: object | null;
}

export interface IdentityAnswer {
  readonly identity: { readonly appId: string; readonly openId: string; readonly linkedAt: string };
  readonly user: LiveUser;
  /** Present where WeChat replaced the openId. */
  readonly retired?: true;
  readonly replacedBy?: { readonly appId: string; readonly openId: string };
}

/** The owner of an identity at a moment, in the state of then. */
export interface IdentityThenAnswer {
  readonly identity: IdentityAnswer['identity'];
  readonly user: UserState;
}

interface IdentityRef {
  readonly appId: string;
  readonly openId: string;
}

export type LookupStatus = 'live' | 'merged' | 'erased' | 'unknown';

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
export const isUserId = (text: string): boolean => uuid.test(text);

export function liveUser(view: UserView): LiveUser {
  const { id, entityId, version, createdAt, unionIds, identities } = view;
  return { id, entityId, status: 'live', version, createdAt: createdAt.toISOString(), unionIds, identities };
}

/** Everything that is asked about people. `entityId` null: the operator. A stranger's user is unknown. */
@Injectable()
export class Users {
  constructor(
    private readonly database: Database,
    private readonly fingerprints: Fingerprints,
  ) {}

  /** The live user that an id leads to. Throws `user_not_found` or `user_erased`. */
  async live(userId: string, entityId: string | null): Promise<LiveUser> {
    const view = isUserId(userId) ? (await readUsers(this.database, [userId], entityId)).get(userId) : undefined;
    if (view === undefined) throw new Refusal('user_not_found', 'no such user');
    if (view.status === 'erased') throw new Refusal('user_erased', 'this user was erased', { userId });
    return liveUser(view);
  }

  /** That id's own state at a moment, also of one merged away since. */
  async asOf(userId: string, entityId: string | null, at: Date): Promise<UserState> {
    const now = isUserId(userId) ? (await readUsers(this.database, [userId], entityId)).get(userId) : undefined;
    if (now === undefined) throw new Refusal('user_not_found', 'no such user');
    if (now.status === 'erased' && now.id === userId)
      throw new Refusal('user_erased', 'this user was erased', { userId });
    const then = await readStateAsOf(this.database, userId, at);
    if (then === null) throw new Refusal('user_not_found', 'this user did not exist at that time');
    return then;
  }

  /** Whom each id led to at a moment. Who is erased since is erased, whatever was known of them then. */
  async lookupAsOf(
    ids: readonly string[],
    entityId: string | null,
    at: Date,
  ): Promise<{ id: string; status: LookupStatus; userId: string | null }[]> {
    const now = await this.lookup(ids, entityId);
    const known = now.filter(({ status }) => status !== 'unknown' && status !== 'erased').map(({ id }) => id);
    const led = new Map((await readLeadersAsOf(this.database, known, at)).map((one) => [one.id, one]));
    const leaders = await readUsers(this.database, [...new Set([...led.values()].map(({ leader }) => leader))], null);
    return now.map(({ id, status }) => {
      const then = led.get(id);
      if (status === 'erased' || leaders.get(then?.leader ?? '')?.status === 'erased')
        return { id, status: 'erased', userId: null };
      if (then === undefined) return { id, status: 'unknown', userId: null };
      return { id, status: then.leader === id ? 'live' : 'merged', userId: then.leader };
    });
  }

  /** Who held an identity at a moment, as they were then. */
  async byIdentityAsOf(ref: IdentityRef, entityId: string | null, at: Date): Promise<IdentityThenAnswer> {
    const fingerprint = this.fingerprints.of(ref.appId, ref.openId);
    const user = await readOwnerAsOf(this.database, { ...ref, fingerprint, entityId, at });
    const identity =
      user !== null && 'identities' in user
        ? user.identities.find(({ appId, openId }) => appId === ref.appId && openId === ref.openId)
        : undefined;
    if (user === null || identity === undefined)
      throw new Refusal('identity_not_found', 'nobody is known to have held that identity at that time');
    return { identity, user };
  }

  async lookup(
    ids: readonly string[],
    entityId: string | null,
  ): Promise<{ id: string; status: LookupStatus; userId: string | null }[]> {
    const asked = [...new Set(ids.filter(isUserId))];
    const views = await readUsers(this.database, asked, entityId);
    return ids.map((id) => {
      const view = views.get(id);
      if (view === undefined) return { id, status: 'unknown', userId: null };
      if (view.status === 'erased') return { id, status: 'erased', userId: null };
      return { id, status: view.id === id ? 'live' : 'merged', userId: view.id };
    });
  }

  async byIdentity(appId: string, openId: string, entityId: string | null): Promise<IdentityAnswer> {
    const [found] = await readIdentities(this.database, [{ appId, openId }], entityId);
    if (found === undefined) return this.byRetired(appId, openId, entityId);
    const identity = { appId, openId, linkedAt: found.linkedAt.toISOString() };
    return { identity, user: await this.live(found.userId, entityId) };
  }

  /** An openId that WeChat replaced still leads to its user. */
  private async byRetired(appId: string, openId: string, entityId: string | null): Promise<IdentityAnswer> {
    const [retired] = await readRetiredIdentities(this.database, [{ appId, openId }], entityId);
    if (retired === undefined) throw new Refusal('identity_not_found', 'no such identity');
    return {
      identity: { appId, openId, linkedAt: retired.linkedAt },
      user: await this.live(retired.userId, entityId),
      retired: true,
      replacedBy: { appId: retired.byAppId, openId: retired.byOpenId },
    };
  }

  async lookupIdentities(
    identities: readonly { appId: string; openId: string }[],
    entityId: string | null,
  ): Promise<{ appId: string; openId: string; status: LookupStatus; userId: string | null }[]> {
    const found = await readIdentities(this.database, identities, entityId);
    const owners = new Map(found.map(({ appId, openId, userId }) => [`${appId}:${openId}`, userId]));
    const unknown = identities.filter(({ appId, openId }) => !owners.has(`${appId}:${openId}`));
    const retired = unknown.length === 0 ? [] : await readRetiredIdentities(this.database, unknown, entityId);
    for (const { appId, openId, userId } of retired) owners.set(`${appId}:${openId}`, userId);
    return identities.map(({ appId, openId }) => {
      const userId = owners.get(`${appId}:${openId}`) ?? null;
      return { appId, openId, status: userId === null ? 'unknown' : 'live', userId };
    });
  }

  /** The person's openId in a sibling app: the newest where there are several. */
  async openIdIn(userId: string, appId: string, entityId: string | null): Promise<{ appId: string; openId: string }> {
    const user = await this.live(userId, entityId);
    const identity = user.identities.findLast((one) => one.appId === appId);
    if (identity === undefined) throw new Refusal('identity_not_found', 'this user has no openId in that app');
    return { appId, openId: identity.openId };
  }

  async list(filter: UserFilter): Promise<LiveUser[]> {
    return (await listUsers(this.database, filter)).map(liveUser);
  }

  /** That id's own entries, newest first; of an erased id without `before`, `after` and `evidence`. */
  async history(
    userId: string,
    entityId: string | null,
    page: { includeMerged: boolean; after: number | null; limit: number },
  ): Promise<{ items: HistoryEntry[]; keys: number[] }> {
    const view = isUserId(userId) ? (await readUsers(this.database, [userId], entityId)).get(userId) : undefined;
    if (view === undefined) throw new Refusal('user_not_found', 'no such user');
    const rows = await readHistory(this.database, { userId, ...page });
    const emptied = view.status === 'erased';
    return { items: rows.map((row) => entry(row, emptied)), keys: rows.map(({ id }) => id) };
  }
}

function entry(row: HistoryRow, emptied: boolean): HistoryEntry {
  return {
    userId: row.user_id,
    version: row.version,
    at: row.recorded_at.toISOString(),
    action: row.type.replace(/^identity\.(\w+)\.v\d+$/, '$1'),
    actor: row.actor,
    cause: row.cause,
    reason: emptied ? null : row.reason,
    requestId: row.request_id,
    before: emptied ? null : (row.before?.user ?? null),
    after: emptied ? null : row.data.user,
    evidence: emptied ? null : row.evidence,
  };
}
