import type { Cause, LinkedIdentity, UserState } from '#events';
import type { ChangeSection, ChangeSet, EndedConflict, Loaded, OpenConflictRow, RetiredRow } from '#store';
import type { KnownUser } from '../resolve/resolve.decision.js';
import type { ConflictKind } from '../resolve/resolve.decision.js';

/** Why a change happens and who makes it: goes into every journal row. */
export interface Origin {
  readonly cause: Cause;
  /** `key:<api key id>`, `operator`, `wechat`, `kafka` (whoever may write the observations), `participant:<name>` or `service`. */
  readonly actor: string;
  readonly requestId: string | null;
  readonly traceparent: string | null;
  readonly reason: string | null;
}

export interface HeldIdentity extends LinkedIdentity {
  /** The union key that led it to its user. */
  viaOpenPlatformId: string | null;
  viaUnionId: string | null;
  pendingUnionId: string | null;
  pendingReason: string | null;
  pendingObservedAt: string | null;
  source: string;
}

export interface HeldKey {
  readonly openPlatformId: string;
  readonly unionId: string;
  readonly linkedAt: string;
  retiredAt: string | null;
}

/** A user as locked and loaded, and as changed since within this transaction. */
export interface HeldUser {
  readonly id: string;
  readonly entityId: string;
  status: 'live' | 'merged' | 'erased';
  version: number;
  mergedInto: string | null;
  createdAt: string;
  readonly ownCreatedAt: string;
  /** The end of the chain, where it is merged away. */
  leadsTo: string | null;
  identities: HeldIdentity[];
  unionKeys: HeldKey[];
}

export interface HeldConflict extends Omit<OpenConflictRow, 'userIds' | 'count'> {
  userIds: string[];
  count: number;
}

export interface ConflictParties {
  readonly kind: ConflictKind;
  readonly entityId: string;
  readonly appId: string;
  readonly openId: string;
  readonly unionId: string;
  readonly openPlatformId: string;
  readonly userIds: readonly string[];
  readonly likelyCause: string;
  readonly evidence: object;
}

const identityKey = (appId: string, openId: string): string => `${appId}:${openId}`;
const unionKeyOf = (entityId: string, openPlatformId: string, unionId: string): string =>
  `${entityId}\n${openPlatformId}\n${unionId}`;
const byAge = (
  a: { linkedAt: string; appId?: string; openId?: string },
  b: { linkedAt: string; appId?: string; openId?: string },
): number => {
  const left = `${a.linkedAt}${a.appId ?? ''}${a.openId ?? ''}`;
  const right = `${b.linkedAt}${b.appId ?? ''}${b.openId ?? ''}`;
  return left < right ? -1 : left > right ? 1 : 0;
};

/**
 * What is known under the locks of one transaction, and every change made to it: the same rows that are decided on are
 * written, once each, however many observations touched them. Pure but for `newId`; it knows no clock and no database.
 */
export class World {
  readonly now: string;
  private readonly users = new Map<string, HeldUser>();
  private readonly owners = new Map<string, string>();
  private readonly keyOwners = new Map<string, string>();
  private readonly conflicts: HeldConflict[];
  /** Pairs of users whom a human holds apart, as they lead now. */
  readonly separations: { readonly id: string; readonly a: string; readonly b: string }[];
  private readonly departures: ReadonlyMap<string, { at: string; erased: boolean }>;
  private readonly rows: Record<ChangeSection, object[]> = {
    users: [],
    droppedIdentities: [],
    newIdentities: [],
    changedIdentities: [],
    droppedUnionKeys: [],
    newUnionKeys: [],
    changedUnionKeys: [],
    redirects: [],
    merges: [],
    revertedMerges: [],
    separations: [],
    conflicts: [],
    departed: [],
    journal: [],
  };
  /** The event types of the steps so far, in order. */
  readonly stepped: string[] = [];
  /** Whom identities left by an unlinking. */
  readonly unlinked: { readonly fingerprint: string; readonly userId: string }[] = [];
  private readonly changedUsers = new Set<HeldUser>();
  private readonly olderUsers: { id: string; createdAt: string }[] = [];
  private readonly changedConflicts = new Map<string, object>();
  private readonly replaced: Map<string, RetiredRow>;
  /** Loaded rows by key, so that what was only moved is updated and what is new is inserted. */
  private readonly loadedIdentities = new Map<string, string>();
  private readonly loadedKeys = new Map<string, string>();
  private readonly touchedIdentities = new Set<string>();
  private readonly touchedKeys = new Set<string>();

  constructor(
    loaded: Loaded,
    readonly newId: () => string,
  ) {
    this.now = loaded.now;
    for (const user of loaded.users) this.users.set(user.id, { ...user, identities: [], unionKeys: [] });
    for (const { userId, ...identity } of loaded.identities) {
      this.users.get(userId)?.identities.push({ ...identity, source: '' });
      const key = identityKey(identity.appId, identity.openId);
      this.owners.set(key, userId);
      this.loadedIdentities.set(key, userId);
    }
    for (const { userId, ...key } of loaded.unionKeys) {
      const user = this.users.get(userId);
      if (user === undefined) continue;
      user.unionKeys.push({ ...key });
      const name = unionKeyOf(user.entityId, key.openPlatformId, key.unionId);
      this.keyOwners.set(name, userId);
      this.loadedKeys.set(name, userId);
    }
    this.separations = [...loaded.separations];
    this.conflicts = loaded.conflicts.map((conflict) => ({ ...conflict, userIds: [...conflict.userIds] }));
    this.departures = new Map(loaded.departed.map((departure) => [departure.fingerprint, departure]));
    this.replaced = new Map(loaded.retired.map((retired) => [identityKey(retired.appId, retired.openId), retired]));
  }

  user(id: string): HeldUser | undefined {
    return this.users.get(id);
  }

  ownerOf(appId: string, openId: string): HeldUser | undefined {
    return this.users.get(this.owners.get(identityKey(appId, openId)) ?? '');
  }

  keyOwner(entityId: string, openPlatformId: string, unionId: string): HeldUser | undefined {
    return this.users.get(this.keyOwners.get(unionKeyOf(entityId, openPlatformId, unionId)) ?? '');
  }

  /** Of an openId that WeChat replaced: the one that stands for it now, and its owner. */
  replacementOf(
    appId: string,
    openId: string,
  ): { appId: string; openId: string; linkedAt: string; user: HeldUser } | null {
    const retired = this.replaced.get(identityKey(appId, openId));
    const user = retired === undefined ? undefined : this.ownerOf(retired.byAppId, retired.byOpenId);
    if (retired === undefined || user === undefined) return null;
    return { appId: retired.byAppId, openId: retired.byOpenId, linkedAt: retired.linkedAt, user };
  }

  /** The first decision that keeps the two apart, or what they were before they were folded. */
  separationOf(a: string, b: string): string | null {
    return this.separations.find((pair) => pairOf(pair.a, pair.b) === pairOf(a, b))?.id ?? null;
  }

  areSeparated(a: string, b: string): boolean {
    return this.separationOf(a, b) !== null;
  }

  /** An open conflict says so of one of the user's unionIds. */
  gathersTooMany(user: HeldUser): boolean {
    return this.conflicts.some(
      ({ kind, openPlatformId, unionId }) =>
        kind === 'too_many_identities' && this.keyOwner(user.entityId, openPlatformId, unionId) === user,
    );
  }

  departure(fingerprint: string): { at: string; erased: boolean } | undefined {
    return this.departures.get(fingerprint);
  }

  create(entityId: string, createdAt: string = this.now): HeldUser {
    const user: HeldUser = {
      id: this.newId(),
      entityId,
      status: 'live',
      version: 0,
      mergedInto: null,
      createdAt,
      ownCreatedAt: createdAt,
      leadsTo: null,
      identities: [],
      unionKeys: [],
    };
    this.users.set(user.id, user);
    this.changedUsers.add(user);
    return user;
  }

  /** An import knows the person for longer than the service does. */
  makeAsOldAs(user: HeldUser, firstSeenAt: string): void {
    if (firstSeenAt < user.createdAt) user.createdAt = firstSeenAt;
    this.olderUsers.push({ id: user.id, createdAt: firstSeenAt });
    this.changedUsers.add(user);
  }

  /** `via`: the union key that led the identity to this user, where one did. */
  link(
    user: HeldUser,
    identity: { appId: string; openId: string; source: string },
    via: { openPlatformId: string; unionId: string } | null,
  ): HeldIdentity {
    const held: HeldIdentity = {
      appId: identity.appId,
      openId: identity.openId,
      source: identity.source,
      linkedAt: this.now,
      viaOpenPlatformId: via?.openPlatformId ?? null,
      viaUnionId: via?.unionId ?? null,
      pendingUnionId: null,
      pendingReason: null,
      pendingObservedAt: null,
    };
    user.identities.push(held);
    this.own(held, user);
    return held;
  }

  /** Gives an identity to another user; its age and findings go with it. */
  move(identity: HeldIdentity, from: HeldUser, to: HeldUser): void {
    from.identities = from.identities.filter((other) => other !== identity);
    to.identities.push(identity);
    to.identities.sort(byAge);
    this.own(identity, to);
  }

  unlink(identity: HeldIdentity, user: HeldUser): void {
    const key = identityKey(identity.appId, identity.openId);
    user.identities = user.identities.filter((other) => other !== identity);
    this.owners.delete(key);
    this.touchedIdentities.add(key);
  }

  /** WeChat replaced the openId: the new one takes the old one's place, with its age. */
  replace(identity: HeldIdentity, user: HeldUser, by: { appId: string; openId: string }, source: string): void {
    this.unlink(identity, user);
    const held: HeldIdentity = { ...identity, appId: by.appId, openId: by.openId, source };
    user.identities.push(held);
    user.identities.sort(byAge);
    this.own(held, user);
  }

  /** Remembers which identity stands for one that is gone; always the end of the chain. */
  retire(identity: HeldIdentity, by: { appId: string; openId: string }): RetiredRow {
    const { appId, openId, linkedAt } = identity;
    const row = { appId, openId, linkedAt, byAppId: by.appId, byOpenId: by.openId };
    for (const [key, earlier] of this.replaced)
      if (earlier.byAppId === appId && earlier.byOpenId === openId)
        this.replaced.set(key, { ...earlier, byAppId: by.appId, byOpenId: by.openId });
    this.replaced.set(identityKey(appId, openId), row);
    return row;
  }

  keep(identity: HeldIdentity, unionId: string | null, reason: string | null, observedAt: string): void {
    if (identity.pendingUnionId === unionId) return;
    identity.pendingUnionId = unionId;
    identity.pendingReason = unionId === null ? null : reason;
    identity.pendingObservedAt = unionId === null ? null : observedAt;
    this.touchedIdentities.add(identityKey(identity.appId, identity.openId));
  }

  attachKey(user: HeldUser, openPlatformId: string, unionId: string): void {
    const key: HeldKey = { openPlatformId, unionId, linkedAt: this.now, retiredAt: null };
    user.unionKeys.push(key);
    this.ownKey(key, user);
  }

  moveKey(key: HeldKey, from: HeldUser, to: HeldUser): void {
    from.unionKeys = from.unionKeys.filter((other) => other !== key);
    to.unionKeys.push(key);
    to.unionKeys.sort(byAge);
    this.ownKey(key, to);
  }

  retireKey(key: HeldKey, user: HeldUser): void {
    key.retiredAt = this.now;
    this.ownKey(key, user);
  }

  /** A unionId that was replaced is somebody's current one again. */
  returnKey(key: HeldKey, user: HeldUser): void {
    key.retiredAt = null;
    this.ownKey(key, user);
  }

  dropKey(key: HeldKey, user: HeldUser): void {
    const name = unionKeyOf(user.entityId, key.openPlatformId, key.unionId);
    user.unionKeys = user.unionKeys.filter((other) => other !== key);
    this.keyOwners.delete(name);
    this.touchedKeys.add(name);
  }

  redirect(source: HeldUser, target: HeldUser): void {
    source.status = 'merged';
    source.mergedInto = target.id;
    source.leadsTo = target.id;
    for (const user of this.users.values()) if (user.leadsTo === source.id) user.leadsTo = target.id;
    // Whoever is held apart from the source is held apart from the target from now on, also within this transaction.
    const led = (id: string): string => (id === source.id ? target.id : id);
    for (const [index, { id, a, b }] of this.separations.entries())
      this.separations[index] = { id, a: led(a), b: led(b) };
    this.rows.redirects.push({ userId: source.id, targetId: target.id });
  }

  restore(source: HeldUser): void {
    source.status = 'live';
    source.mergedInto = null;
    source.leadsTo = null;
    this.rows.redirects.push({ userId: source.id, targetId: null });
  }

  write(section: 'merges' | 'revertedMerges' | 'departed', row: object): void {
    this.rows[section].push(row);
  }

  /** A lasting decision that two users are two people (P6). Answers its id; one pair is separated once. */
  separate(a: HeldUser, b: HeldUser, origin: Origin): string {
    const id = this.newId();
    this.separations.push({ id, a: a.id, b: b.id });
    this.rows.separations.push({
      id,
      entityId: a.entityId,
      a: a.id,
      b: b.id,
      reason: origin.reason,
      actor: origin.actor,
      createdAt: this.now,
    });
    return id;
  }

  /** One step of the user's version: its event and its audit entry. The last thing done to a user in a change. */
  step(user: HeldUser, type: string, specifics: object, origin: Origin, evidence: object | null): void {
    user.version += 1;
    this.changedUsers.add(user);
    this.journal(
      {
        userId: user.id,
        version: user.version,
        key: user.id,
        type,
        data: {
          userId: user.id,
          version: user.version,
          occurredAt: this.now,
          cause: origin.cause,
          ...specifics,
          user: stateOf(user),
        },
      },
      user.entityId,
      origin,
      evidence,
    );
    this.reviewConflicts(origin);
  }

  /** Something worth telling that changes no user. */
  notice(entityId: string, userId: string, type: string, data: object, origin: Origin): void {
    this.journal(
      {
        userId,
        version: null,
        key: userId,
        type,
        data: { occurredAt: this.now, cause: origin.cause, userId, ...data },
      },
      entityId,
      origin,
      null,
    );
  }

  /** A notice about nobody; `key` gives its place, as the userId does elsewhere. */
  noticeOfApp(entityId: string, key: string, type: string, data: object, origin: Origin): void {
    const whole = { occurredAt: this.now, cause: origin.cause, userId: null, ...data };
    this.journal({ userId: null, version: null, key, type, data: whole }, entityId, origin, null);
  }

  /** One open conflict per kind, identity and unionId; repeats raise its counter. Answers its id. */
  openConflict(parties: ConflictParties, origin: Origin): string {
    const open = this.conflicts.find(
      (conflict) =>
        conflict.kind === parties.kind &&
        conflict.appId === parties.appId &&
        conflict.openId === parties.openId &&
        conflict.unionId === parties.unionId,
    );
    if (open !== undefined) {
      // A review looks again at what was kept: whom it is about may have changed, but nobody was seen anew.
      if (origin.cause !== 'automatic') open.count += 1;
      open.userIds = [...new Set(parties.userIds)];
      this.writeConflict(open, parties.entityId, { status: 'open', evidence: [parties.evidence] });
      return open.id;
    }
    const { entityId, evidence, ...rest } = parties;
    const conflict: HeldConflict = { id: this.newId(), ...rest, userIds: [...new Set(parties.userIds)], count: 1 };
    this.conflicts.push(conflict);
    this.writeConflict(conflict, entityId, { status: 'open', evidence: [evidence] });
    const userId = conflict.userIds[0] ?? '';
    this.notice(entityId, userId, 'identity.ConflictOpened.v1', { conflict: describeConflict(conflict) }, origin);
    return conflict.id;
  }

  /** Ends open conflicts that `ended` picks, with a decision or because they were overtaken. */
  resolveConflicts(
    entityId: string,
    ended: (conflict: HeldConflict) => boolean,
    decision: string,
    origin: Origin,
  ): void {
    for (const conflict of this.conflicts.filter(ended)) {
      this.conflicts.splice(this.conflicts.indexOf(conflict), 1);
      this.writeConflict(conflict, entityId, {
        status: 'resolved',
        evidence: [],
        decision,
        decidedBy: origin.actor,
        reason: origin.reason,
      });
      const userId = conflict.userIds[0] ?? '';
      this.notice(
        entityId,
        userId,
        'identity.ConflictResolved.v1',
        { conflict: describeConflict(conflict), decision },
        origin,
      );
    }
  }

  /** Ended with an erasure, which has written them already; the notice names nobody but the users. */
  conflictsForgotten(entityId: string, ended: readonly EndedConflict[], origin: Origin): void {
    for (const { id, kind, userIds, openPlatformId, likelyCause } of ended) {
      const index = this.conflicts.findIndex((conflict) => conflict.id === id);
      if (index >= 0) this.conflicts.splice(index, 1);
      const left = { id, kind, userIds, appId: null, openId: null, unionId: null, openPlatformId, likelyCause };
      const told = { conflict: left, decision: 'overtaken' };
      this.notice(entityId, userIds[0] ?? '', 'identity.ConflictResolved.v1', told, origin);
    }
  }

  /**
   * After a step: the parties of an open conflict are whoever owns its identity and its unionId now, and a conflict whose
   * parties have become one user is overtaken. Who is not held here is left as he was.
   */
  private reviewConflicts(origin: Origin): void {
    const overtaken = new Map<string, string>();
    for (const conflict of this.conflicts) {
      const owner = this.ownerOf(conflict.appId, conflict.openId);
      const [first, second, ...others] = conflict.userIds.map((id) => this.users.get(id)?.leadsTo ?? id);
      // Of whichever party is held: the unionId may move, by an undone merge, while the identity's owner is elsewhere.
      const party = conflict.userIds.map((id) => this.users.get(id)).find((user) => user !== undefined);
      const entityId = owner?.entityId ?? party?.entityId;
      if (entityId === undefined) continue;
      const keyOwner = this.keyOwner(entityId, conflict.openPlatformId, conflict.unionId);
      const against = keyOwner === undefined || keyOwner === owner ? second : keyOwner.id;
      const parties = [...new Set([owner?.id ?? first, against, ...others].filter((id) => id !== undefined))];
      const isOne = parties.length === 1 && (conflict.userIds.length > 1 || keyOwner?.id === parties[0]);
      if (isOne) overtaken.set(conflict.id, entityId);
      if (parties.join() === conflict.userIds.join()) continue;
      conflict.userIds = parties;
      this.writeConflict(conflict, entityId, { status: 'open', evidence: [] });
    }
    for (const [id, entityId] of overtaken)
      this.resolveConflicts(entityId, (conflict) => conflict.id === id, 'overtaken', origin);
  }

  changes(): ChangeSet {
    const identityRows = this.identityRows();
    const keyRows = this.keyRows();
    return {
      ...this.rows,
      ...identityRows,
      ...keyRows,
      conflicts: [...this.changedConflicts.values()],
      olderUsers: this.olderUsers,
      unlinked: this.unlinked,
      users: [...this.changedUsers].map(({ id, entityId, status, version, mergedInto, createdAt }) => ({
        id,
        entityId,
        status,
        version,
        mergedInto,
        createdAt,
      })),
    };
  }

  private own(identity: HeldIdentity, user: HeldUser): void {
    const key = identityKey(identity.appId, identity.openId);
    this.owners.set(key, user.id);
    this.touchedIdentities.add(key);
  }

  private ownKey(key: HeldKey, user: HeldUser): void {
    const name = unionKeyOf(user.entityId, key.openPlatformId, key.unionId);
    this.keyOwners.set(name, user.id);
    this.touchedKeys.add(name);
  }

  private journal(
    row: { userId: string | null; version: number | null; key: string; type: string; data: object },
    entityId: string,
    origin: Origin,
    evidence: object | null,
  ): void {
    if (row.version !== null) this.stepped.push(row.type);
    this.rows.journal.push({
      n: this.rows.journal.length,
      recordedAt: this.now,
      entityId,
      shard: shardOf(row.key),
      eventId: this.newId(),
      cause: origin.cause,
      requestId: origin.requestId,
      traceparent: origin.traceparent,
      actor: origin.actor,
      reason: origin.reason,
      evidence,
      ...row,
    });
  }

  private writeConflict(conflict: HeldConflict, entityId: string, rest: object): void {
    const earlier = this.changedConflicts.get(conflict.id);
    const evidence = earlier !== undefined && 'evidence' in earlier ? earlier.evidence : undefined;
    this.changedConflicts.set(conflict.id, {
      decision: null,
      decidedBy: null,
      reason: null,
      ...conflict,
      entityId,
      seenAt: this.now,
      ...rest,
      ...(evidence === undefined ? {} : { evidence }),
    });
  }

  private identityRows(): ChangeSet {
    const rows = {
      newIdentities: [] as object[],
      changedIdentities: [] as object[],
      droppedIdentities: [] as object[],
    };
    for (const key of this.touchedIdentities) {
      const ownerId = this.owners.get(key);
      const [appId, openId] = splitKey(key);
      if (ownerId === undefined) {
        if (this.loadedIdentities.has(key)) rows.droppedIdentities.push({ appId, openId });
        continue;
      }
      const user = this.users.get(ownerId);
      const identity = user?.identities.find((held) => held.appId === appId && held.openId === openId);
      if (user === undefined || identity === undefined) throw new Error('an owned identity is not held by its owner');
      const row = { ...identity, userId: ownerId, entityId: user.entityId };
      (this.loadedIdentities.has(key) ? rows.changedIdentities : rows.newIdentities).push(row);
    }
    return rows;
  }

  private keyRows(): ChangeSet {
    const rows = { newUnionKeys: [] as object[], changedUnionKeys: [] as object[], droppedUnionKeys: [] as object[] };
    for (const name of this.touchedKeys) {
      const ownerId = this.keyOwners.get(name);
      const [entityId = '', openPlatformId = '', unionId = ''] = name.split('\n');
      if (ownerId === undefined) {
        if (this.loadedKeys.has(name)) rows.droppedUnionKeys.push({ entityId, openPlatformId, unionId });
        continue;
      }
      const key = this.users
        .get(ownerId)
        ?.unionKeys.find((held) => held.openPlatformId === openPlatformId && held.unionId === unionId);
      if (key === undefined) throw new Error('an owned union key is not held by its owner');
      (this.loadedKeys.has(name) ? rows.changedUnionKeys : rows.newUnionKeys).push({
        ...key,
        entityId,
        userId: ownerId,
      });
    }
    return rows;
  }
}

function splitKey(key: string): [string, string] {
  const at = key.indexOf(':');
  return [key.slice(0, at), key.slice(at + 1)];
}

function pairOf(a: string, b: string): string {
  return a < b ? `${a} ${b}` : `${b} ${a}`;
}

/** 16 shards by the last hex digit of the key, which is random in a UUIDv7 and in a digest. Fixed for ever. */
export function shardOf(key: string): number {
  return Number.parseInt(key.at(-1) ?? '0', 16);
}

/** The user as events, states and audit entries show it. */
export function stateOf(user: HeldUser): UserState {
  if (user.status === 'erased') return { id: user.id, status: 'erased', version: user.version };
  return {
    id: user.id,
    entityId: user.entityId,
    status: user.status,
    version: user.version,
    createdAt: user.createdAt,
    mergedInto: user.mergedInto,
    identities: user.identities.toSorted(byAge).map(({ appId, openId, linkedAt }) => ({ appId, openId, linkedAt })),
    unionIds: user.unionKeys
      .filter((key) => key.retiredAt === null)
      .toSorted(byAge)
      .map(({ openPlatformId, unionId }) => ({ openPlatformId, unionId })),
  };
}

/** The user as the decisions see it. */
export function known(user: HeldUser): KnownUser {
  return {
    id: user.id,
    identities: user.identities,
    unionKeys: user.unionKeys.map((key) => ({
      openPlatformId: key.openPlatformId,
      unionId: key.unionId,
      retired: key.retiredAt !== null,
    })),
  };
}

function describeConflict(conflict: HeldConflict): object {
  const { id, kind, userIds, appId, openId, unionId, openPlatformId, likelyCause } = conflict;
  return { id, kind, userIds, appId, openId, unionId, openPlatformId, likelyCause };
}
