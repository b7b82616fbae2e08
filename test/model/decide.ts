import type { Answered } from './change.js';
import type { Contradiction, People, UserName } from './people.js';
import { accountOf } from './people.js';

export const decisions = ['keep', 'merge', 'move_identity', 'rekey', 'separate'] as const;
export type Decision = (typeof decisions)[number];

/** The user against whom the identity's owner stands: the owner of the unionId. */
export function opponentOf(people: People, { identity, key }: Contradiction): UserName | null {
  const [owner, keyOwner] = [people.holdings.get(identity)?.owner, people.keys.get(key)?.owner];
  return keyOwner === undefined || keyOwner === owner ? null : keyOwner;
}

/** What a human decides of a conflict. */
export function decide(people: People, name: string, decision: Decision): Answered<{ merge: string | null }> {
  const conflict = people.conflicts.find((one) => one.name === name);
  if (conflict === undefined) throw new Error(`the model knows no ${name}`);
  const owner = people.holdings.get(conflict.identity)?.owner;
  if (conflict.decision !== null || owner === undefined) return { code: 'conflict_stale' };
  const other = opponentOf(people, conflict);
  const refused = refusalOf(people, conflict, decision, { owner, other });
  if (refused !== null) return { code: refused };
  conflict.decision = decision;
  if (decision === 'rekey') {
    for (const key of people.currentKeysOf(owner)) {
      const held = people.keys.get(key);
      if (held !== undefined && accountOf(key) === accountOf(conflict.key)) held.retired = true;
    }
    people.keys.set(conflict.key, { owner, retired: false });
    people.step(owner);
  }
  if (other === null) return { merge: null };
  if (decision === 'separate') people.separate(owner, other);
  if (decision === 'move_identity') {
    people.give([conflict.identity], [], other);
    people.step(owner, other);
  }
  const merged = decision === 'merge' ? people.fold(people.person(owner), people.person(other)) : null;
  return { merge: merged?.name ?? null };
}

function refusalOf(
  people: People,
  conflict: Contradiction,
  decision: Decision,
  { owner, other }: { owner: UserName; other: UserName | null },
): string | null {
  if (decision === 'keep') return null;
  if (decision === 'rekey') return people.keys.has(conflict.key) ? 'conflict_stale' : null;
  if (other === null) return 'conflict_stale';
  if (decision === 'separate') return null;
  if (decision === 'move_identity') {
    if (people.identitiesOf(owner).length === 1) return 'last_identity';
    return people.identitiesOf(other).length + 1 > people.limits.hard ? 'too_many_identities' : null;
  }
  if (people.areSeparated(owner, other)) return 'separated';
  const together = people.identitiesOf(owner).length + people.identitiesOf(other).length;
  return together > people.limits.hard ? 'too_many_identities' : null;
}
