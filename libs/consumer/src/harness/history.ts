import type { Envelope, IdentityRef } from '#events';

interface ModelUser {
  readonly id: string;
  status: 'live' | 'merged' | 'erased';
  version: number;
  mergedInto: string | null;
  identities: IdentityRef[];
}

interface ModelMerge {
  readonly id: string;
  readonly source: string;
  readonly target: string;
  readonly moved: readonly IdentityRef[];
}

const start = Date.parse('2026-11-23T08:00:00.000Z');
const same = (a: IdentityRef) => (b: IdentityRef) => a.appId === b.appId && a.openId === b.openId;

/**
 * Makes histories as the identity service would publish them, for tests: say what happens to people, and `events` is
 * what your service will be told. Ids are made from names, so that a failing test reads well.
 */
export class History {
  readonly events: Envelope[] = [];
  private readonly users = new Map<string, ModelUser>();
  private readonly merges: ModelMerge[] = [];
  private now = start;
  private steps = 0;

  /** A new user with this identity. */
  create(id: string, identity: IdentityRef): this {
    this.users.set(id, { id, status: 'live', version: 0, mergedInto: null, identities: [identity] });
    return this.step(this.user(id), 'UserLinked', { identity, created: true, previousUserId: null }).tick();
  }

  link(id: string, identity: IdentityRef): this {
    const user = this.user(id);
    user.identities = [...user.identities, identity];
    return this.step(user, 'UserLinked', { identity, created: false, previousUserId: null }).tick();
  }

  unlink(id: string, identity: IdentityRef): this {
    const user = this.user(id);
    user.identities = user.identities.filter((held) => !same(identity)(held));
    return this.step(user, 'UserUnlinked', { identity }).tick();
  }

  /** Something that moves no identity. */
  key(id: string): this {
    return this.step(this.user(id), 'UserKeyed', { openPlatformId: 'main', unionId: `union-${id}` }).tick();
  }

  /** Folds source into target; answers the mergeId. */
  merge(sourceId: string, targetId: string): string {
    const [source, target] = [this.user(sourceId), this.user(targetId)];
    const merge = {
      id: `merge-${this.merges.length + 1}`,
      source: sourceId,
      target: targetId,
      moved: source.identities,
    };
    this.merges.push(merge);
    target.identities = [...target.identities, ...source.identities];
    source.identities = [];
    source.status = 'merged';
    source.mergedInto = targetId;
    this.step(source, 'UserRedirected', { mergeId: merge.id, mergedInto: targetId });
    this.step(target, 'UserMerged', {
      mergeId: merge.id,
      sourceUserId: sourceId,
      movedIdentities: merge.moved,
      movedUnionIds: [],
      automatic: false,
    }).tick();
    return merge.id;
  }

  revert(mergeId: string): this {
    const at = this.merges.findIndex((merge) => merge.id === mergeId);
    const [merge] = this.merges.splice(at, 1);
    if (at === -1 || merge === undefined) throw new Error(`no merge ${mergeId} to revert`);
    const [source, target] = [this.user(merge.source), this.user(merge.target)];
    const returned = merge.moved.filter((identity) => target.identities.some(same(identity)));
    target.identities = target.identities.filter((held) => !returned.some(same(held)));
    source.identities = returned;
    source.status = 'live';
    source.mergedInto = null;
    this.step(source, 'UserRestored', { mergeId });
    return this.step(target, 'MergeReverted', {
      mergeId,
      sourceUserId: source.id,
      returnedIdentities: returned,
      returnedUnionIds: [],
    }).tick();
  }

  split(id: string, newId: string, identities: readonly IdentityRef[]): this {
    const user = this.user(id);
    user.identities = user.identities.filter((held) => !identities.some(same(held)));
    this.users.set(newId, { id: newId, status: 'live', version: 0, mergedInto: null, identities: [...identities] });
    this.step(user, 'UserSplit', { newUserId: newId, identities });
    return this.step(this.user(newId), 'UserLinked', {
      identity: identities[0],
      created: true,
      previousUserId: id,
    }).tick();
  }

  erase(id: string): this {
    const user = this.user(id);
    user.status = 'erased';
    user.identities = [];
    return this.step(user, 'UserErased', { erasureId: `erasure-${id}` }).tick();
  }

  /** The truth: who answers for an id, and who has an identity. */
  current(id: string): string {
    const user = this.user(id);
    return user.mergedInto === null ? id : this.current(user.mergedInto);
  }

  ownerOf(identity: IdentityRef): string | null {
    for (const user of this.users.values()) if (user.identities.some(same(identity))) return user.id;
    return null;
  }

  statusOf(id: string): 'live' | 'merged' | 'erased' | 'unknown' {
    return this.users.get(id)?.status ?? 'unknown';
  }

  ids(status: 'live' | 'merged' | 'erased'): readonly string[] {
    return [...this.users.values()].filter((user) => user.status === status).map((user) => user.id);
  }

  identitiesOf(id: string): readonly IdentityRef[] {
    return this.user(id).identities;
  }

  /** Merges that can be undone now: both as the merge left them, and the target not folded on. */
  revertible(): readonly string[] {
    return this.merges
      .filter(({ source, target }) => this.user(source).mergedInto === target && this.user(target).status === 'live')
      .map((merge) => merge.id);
  }

  private user(id: string): ModelUser {
    const user = this.users.get(id);
    if (user === undefined) throw new Error(`no user ${id} in this history`);
    return user;
  }

  private tick(): this {
    this.now += 1000;
    return this;
  }

  private step(user: ModelUser, name: string, specifics: object): this {
    user.version += 1;
    this.steps += 1;
    const time = new Date(this.now).toISOString();
    const { id, status, version, mergedInto } = user;
    const state = {
      id,
      entityId: 'acme',
      status,
      version,
      createdAt: new Date(start).toISOString(),
      mergedInto,
      identities: user.identities.map((identity) => ({ ...identity, linkedAt: time })),
      unionIds: [],
    };
    const erased = { id, status, version };
    const common = { userId: id, version, occurredAt: time, cause: 'admin' };
    this.events.push({
      id: `event-${this.steps}`,
      entityId: 'acme',
      type: `identity.${name}.v1`,
      time,
      subject: id,
      key: id,
      version,
      epoch: 1,
      causationId: null,
      traceparent: null,
      data: { ...common, user: status === 'erased' ? erased : state, ...specifics },
    });
    return this;
  }
}
