import type { IdentityName, MergeRecord, People, Person, UserName } from './people.js';

/** What a change answers: the names it made or the code it is refused with. */
export type Answered<T extends object> = T | Refused;

export interface Refused {
  readonly code: string;
  readonly mergedInto?: UserName;
  readonly blocking?: string;
  readonly owner?: UserName;
  readonly results?: readonly SourceResult[];
}

export interface SourceResult {
  readonly source: UserName;
  readonly outcome: 'merged' | 'already_merged' | 'refused';
  readonly code?: string;
  readonly into?: UserName;
  readonly merge?: string;
}

export interface MergeWish {
  readonly target: UserName;
  readonly sources: readonly UserName[];
  readonly allowDifferent: boolean;
  readonly all: boolean;
}

export function merge(people: People, wish: MergeWish): Answered<{ results: readonly SourceResult[] }> {
  const { target, sources } = wish;
  if (sources.includes(target) || new Set(sources).size < sources.length) return { code: 'invalid_request' };
  const refused = notLive(people.person(target), people);
  if (refused !== null) return refused;
  if (wish.all) {
    const ledThere = new Set(sources.filter((name) => people.leader(name).name === target));
    const rehearsed = people.copy();
    const results = sources.map((source) => mergeOne(rehearsed, wish, source));
    if (results.some(({ outcome }) => outcome === 'refused'))
      return {
        code: 'merge_refused',
        results: results.map((result) =>
          result.outcome === 'refused' || ledThere.has(result.source)
            ? result
            : { source: result.source, outcome: 'refused', code: 'not_attempted' },
        ),
      };
  }
  return { results: sources.map((source) => mergeOne(people, wish, source)) };
}

function mergeOne(people: People, { target, allowDifferent }: MergeWish, source: UserName): SourceResult {
  const [from, to] = [people.person(source), people.person(target)];
  const refuse = (code: string): SourceResult => ({ source, outcome: 'refused', code });
  if (from.status === 'erased') return refuse('user_erased');
  if (from.status === 'merged') {
    const into = people.leader(source).name;
    return into === target ? { source, outcome: 'already_merged', into } : { ...refuse('user_merged'), into };
  }
  if (people.areSeparated(source, target)) return refuse('separated');
  if (!allowDifferent && people.differing(source, target).length > 0) return refuse('different_union_ids');
  if (people.identitiesOf(source).length + people.identitiesOf(target).length > people.limits.hard)
    return refuse('too_many_identities');
  return { source, outcome: 'merged', into: target, merge: people.fold(from, to).name };
}

export function revert(people: People, name: string): Answered<{ outcome: 'reverted' | 'already_reverted' }> {
  const undone = people.merges.find((one) => one.name === name);
  if (undone === undefined) throw new Error(`the model knows no ${name}`);
  if (undone.reverted) return { outcome: 'already_reverted' };
  const { source, target } = undone;
  if (people.leader(target).status === 'erased') return { code: 'user_erased' };
  const blocking = people.merges.find((one) => one.source === target && !one.reverted);
  if (blocking !== undefined) return { code: 'merge_superseded', blocking: blocking.name };
  undone.reverted = true;
  const keys = undone.keys.filter((key) => people.keys.get(key)?.owner === target);
  people.give(returning(people, undone), keys, source);
  const restored = people.person(source);
  restored.status = 'live';
  restored.into = null;
  people.step(target, source);
  people.separate(source, target);
  return { outcome: 'reverted' };
}

/** What the source brought, and what was linked since through a key of its own. */
function returning(people: People, { target, identities, keys, at }: MergeRecord): IdentityName[] {
  return people.identitiesOf(target).filter((identity) => {
    const holding = people.holdings.get(identity);
    const throughKey = holding?.via !== null && keys.includes(holding?.via ?? '') && (holding?.linkedAt ?? 0) > at;
    return identities.includes(identity) || throughKey;
  });
}

export function split(people: People, name: UserName, leaving: readonly IdentityName[]): Answered<{ user: UserName }> {
  const refused = notLive(people.person(name), people);
  if (refused !== null) return refused;
  const held = people.identitiesOf(name);
  if (!leaving.every((identity) => held.includes(identity))) return { code: 'identity_not_found' };
  if (leaving.length === held.length) return { code: 'last_identity' };
  const created = people.create();
  people.give(leaving, [], created.name);
  people.step(name, created.name);
  people.separate(name, created.name);
  return { user: created.name };
}

export function link(people: People, identity: IdentityName, name: UserName): Answered<{ created: boolean }> {
  const refused = notLive(people.person(name), people);
  if (refused !== null) return refused;
  const owner = people.holdings.get(identity)?.owner;
  if (owner === name) return { created: false };
  if (owner !== undefined) return { code: 'identity_owned', owner };
  if (people.identitiesOf(name).length + 1 > people.limits.hard) return { code: 'too_many_identities' };
  people.hold(identity, name, null);
  people.step(name);
  return { created: true };
}

export function unlink(people: People, identity: IdentityName): Answered<{ user: UserName }> {
  const owner = people.holdings.get(identity)?.owner;
  if (owner === undefined) return { code: 'identity_not_found' };
  if (people.identitiesOf(owner).length === 1) return { code: 'last_identity' };
  people.holdings.delete(identity);
  people.step(owner);
  return { user: owner };
}

export function separate(people: People, a: UserName, b: UserName): Answered<{ created: boolean; separation: string }> {
  const [one, other] = [people.leader(a), people.leader(b)];
  if (one === other) return { code: 'invalid_request' };
  if (one.status === 'erased' || other.status === 'erased') return { code: 'user_erased' };
  const created = people.separationOfThe(one.name, other.name) === undefined;
  return { created, separation: people.separate(one.name, other.name).name };
}

export function erase(people: People, name: UserName): Answered<{ first: boolean }> {
  const person = people.person(name);
  if (person.status === 'merged') return { code: 'user_merged', mergedInto: people.leader(name).name };
  if (person.status === 'erased') return { first: false };
  const gone = people.persons.filter((one) => people.leader(one.name) === person).map((one) => one.name);
  const keys = people.keysOf(name);
  for (const identity of people.identitiesOf(name)) people.holdings.delete(identity);
  for (const key of keys) people.keys.delete(key);
  person.status = 'erased';
  // Nothing is left to decide of what names the person; what it lost to others before is theirs.
  const lost = new Set(gone.flatMap((one) => [...people.person(one).shown]));
  for (const conflict of people.conflicts) {
    const { identity, key, parties } = conflict;
    const named = keys.includes(key) || (lost.has(identity) && !people.holdings.has(identity));
    if (conflict.decision === null && (named || parties.some((party) => gone.includes(party))))
      conflict.decision = 'overtaken';
  }
  people.step(name);
  return { first: true };
}

function notLive(person: Person, people: People): Refused | null {
  if (person.status === 'erased') return { code: 'user_erased' };
  if (person.status === 'merged') return { code: 'user_merged', mergedInto: people.leader(person.name).name };
  return null;
}
