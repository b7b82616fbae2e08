import type { IdentityName, KeyName, People, Person } from './people.js';
import { accountOf, appOf } from './people.js';

export interface Resolved {
  readonly outcome: 'created' | 'linked' | 'keyed' | 'merged' | 'unchanged' | 'conflict';
  readonly user: string;
  readonly previous: string | null;
  readonly conflict: string | null;
}

/** The decision table of the contract, row by row. `unionId` null: none was given. */
export function resolve(people: People, identity: IdentityName, unionId: string | null): Resolved {
  const account = people.apps[appOf(identity)] ?? null;
  // P8: on an unbound app a unionId is a finding and leads nowhere.
  const key = unionId === null || account === null ? null : `${account}:${unionId}`;
  const owner = people.holdings.get(identity)?.owner;
  const keyOwner = key === null ? undefined : people.keys.get(key)?.owner;
  const [u, k] = [named(people, owner), named(people, keyOwner)];
  return u === null ? unknownIdentity(people, identity, key, k) : knownIdentity(people, identity, key, u, k);
}

function unknownIdentity(people: People, identity: IdentityName, key: KeyName | null, k: Person | null): Resolved {
  if (k === null || key === null) {
    const user = people.create();
    people.hold(identity, user.name, key);
    if (key !== null) people.keys.set(key, { owner: user.name, retired: false });
    people.step(user.name);
    return plain('created', user);
  }
  const kind = hasOpenIdIn(people, k, appOf(identity))
    ? 'second_open_id'
    : people.identitiesOf(k.name).length + 1 > people.limits.soft
      ? 'too_many_identities'
      : null;
  if (kind === null) {
    people.hold(identity, k.name, key);
    people.step(k.name);
    return plain('linked', k);
  }
  const user = people.create();
  people.hold(identity, user.name, null);
  people.step(user.name);
  return contradicted(people, kind, identity, key, user, k);
}

function knownIdentity(
  people: People,
  identity: IdentityName,
  key: KeyName | null,
  u: Person,
  k: Person | null,
): Resolved {
  if (key === null || k === u) return plain('unchanged', u);
  if (k !== null && people.areSeparated(u.name, k.name)) return contradicted(people, 'separated', identity, key, u, k);
  if (people.currentKeysOf(u.name).some((held) => accountOf(held) === accountOf(key)))
    return contradicted(people, 'different_union_id', identity, key, u, k);
  if (k === null) {
    people.keys.set(key, { owner: u.name, retired: false });
    people.step(u.name);
    return plain('keyed', u);
  }
  const kind = hasOpenIdIn(people, k, appOf(identity))
    ? 'second_open_id'
    : people.differing(u.name, k.name).length > 0
      ? 'different_union_ids_elsewhere'
      : people.identitiesOf(u.name).length + people.identitiesOf(k.name).length > people.limits.soft
        ? 'too_many_identities'
        : null;
  if (kind !== null) return contradicted(people, kind, identity, key, u, k);
  people.fold(u, k);
  return { outcome: 'merged', user: k.name, previous: u.name, conflict: null };
}

function contradicted(
  people: People,
  kind: string,
  identity: IdentityName,
  key: KeyName,
  u: Person,
  k: Person | null,
): Resolved {
  const parties = k === null ? [u.name] : [u.name, k.name];
  const conflict = people.contradict(kind, identity, key, parties);
  return { outcome: 'conflict', user: u.name, previous: null, conflict: conflict.name };
}

const named = (people: People, name: string | undefined): Person | null =>
  name === undefined ? null : people.person(name);

const hasOpenIdIn = (people: People, person: Person, app: string): boolean =>
  people.identitiesOf(person.name).some((identity) => appOf(identity) === app);

const plain = (outcome: Resolved['outcome'], user: Person): Resolved => ({
  outcome,
  user: user.name,
  previous: null,
  conflict: null,
});
