/**
 * The whole of the promise about people in a few hundred lines without a database, a clock or a lock: what a service has
 * to know of identities, union keys, redirects, separations, conflicts and merges. Written from the contract
 * (semantics, decision table), not from the service; whatever differs is a fault of one of the two.
 */

/** `appId:openId`, and the other `openPlatformId:unionId`. */
export type IdentityName = string;
export type KeyName = string;
export type UserName = string;

export interface Person {
  readonly name: UserName;
  /** The how-manieth person this is: who is older. */
  readonly born: number;
  status: 'live' | 'merged' | 'erased';
  into: UserName | null;
  version: number;
  /** The identities it held in one of its steps. */
  readonly shown: Set<IdentityName>;
}

export interface Holding {
  owner: UserName;
  readonly linkedAt: number;
  /** The union key that led it here when it was linked. */
  readonly via: KeyName | null;
}

export interface MergeRecord {
  readonly name: string;
  readonly source: UserName;
  readonly target: UserName;
  readonly at: number;
  readonly identities: readonly IdentityName[];
  readonly keys: readonly KeyName[];
  reverted: boolean;
}

export interface Contradiction {
  readonly name: string;
  readonly kind: string;
  readonly identity: IdentityName;
  readonly key: KeyName;
  count: number;
  /** Null: open. */
  decision: string | null;
  /** The owner of the identity and, where there is one, the owner of the unionId; who was it last where nobody is now. */
  parties: readonly UserName[];
}

export interface Separation {
  readonly name: string;
  readonly a: UserName;
  readonly b: UserName;
}

export const accountOf = (key: KeyName): string => key.slice(0, key.indexOf(':'));
export const textOf = (name: IdentityName): string => name.slice(name.indexOf(':') + 1);
export const appOf = (identity: IdentityName): string => identity.slice(0, identity.indexOf(':'));

export interface Limits {
  readonly soft: number;
  readonly hard: number;
}

export class People {
  readonly persons: Person[] = [];
  readonly holdings = new Map<IdentityName, Holding>();
  readonly keys = new Map<KeyName, { owner: UserName; retired: boolean }>();
  readonly merges: MergeRecord[] = [];
  readonly conflicts: Contradiction[] = [];
  readonly separations: Separation[] = [];
  private names = 0;
  private now = 0;

  constructor(
    /** The Open Platform account of each app; null: none. */
    readonly apps: Readonly<Record<string, string | null>>,
    readonly limits: Limits,
  ) {}

  /** The same people once more, to see what would become of them. */
  copy(): People {
    const copy = new People(this.apps, this.limits);
    copy.persons.push(...this.persons.map((person) => ({ ...person, shown: new Set(person.shown) })));
    for (const [identity, holding] of this.holdings) copy.holdings.set(identity, { ...holding });
    for (const [key, held] of this.keys) copy.keys.set(key, { ...held });
    copy.merges.push(...this.merges.map((merge) => ({ ...merge })));
    copy.conflicts.push(...this.conflicts.map((conflict) => ({ ...conflict })));
    copy.separations.push(...this.separations);
    [copy.names, copy.now] = [this.names, this.now];
    return copy;
  }

  tick(): number {
    this.now += 1;
    return this.now;
  }

  name(kind: string): string {
    this.names += 1;
    return `${kind} ${this.names}`;
  }

  person(name: UserName): Person {
    const person = this.persons.find((one) => one.name === name);
    if (person === undefined) throw new Error(`the model knows no ${name}`);
    return person;
  }

  /** The end of the chain: live or erased. */
  leader(name: UserName): Person {
    const person = this.person(name);
    return person.into === null ? person : this.leader(person.into);
  }

  identitiesOf(name: UserName): IdentityName[] {
    return [...this.holdings].filter(([, { owner }]) => owner === name).map(([identity]) => identity);
  }

  keysOf(name: UserName): KeyName[] {
    return [...this.keys].filter(([, { owner }]) => owner === name).map(([key]) => key);
  }

  /** Those that WeChat has not replaced. */
  currentKeysOf(name: UserName): KeyName[] {
    return this.keysOf(name).filter((key) => this.keys.get(key)?.retired === false);
  }

  /** The eldest of the person and all who are folded into it. */
  ageOf(name: UserName): number {
    const folded = this.persons.filter(({ into }) => into === name).map((one) => this.ageOf(one.name));
    return Math.min(this.person(name).born, ...folded);
  }

  areSeparated(a: UserName, b: UserName): boolean {
    return this.separationsOf(a, b).length > 0;
  }

  separationsOf(a: UserName, b: UserName): Separation[] {
    return this.separations.filter((pair) => {
      const [one, other] = [this.leader(pair.a).name, this.leader(pair.b).name];
      return (one === a && other === b) || (one === b && other === a);
    });
  }

  /** Of the very two. A decision about two people stays when a merge is undone by whose way they were apart before. */
  separationOfThe(a: UserName, b: UserName): Separation | undefined {
    return this.separations.find((pair) => (pair.a === a && pair.b === b) || (pair.a === b && pair.b === a));
  }

  separate(a: UserName, b: UserName): Separation {
    const earlier = this.separationOfThe(a, b);
    if (earlier !== undefined) return earlier;
    const separation = { name: this.name('separation'), a, b };
    this.separations.push(separation);
    return separation;
  }

  create(): Person {
    const born = this.tick();
    const person: Person = { name: this.name('user'), born, status: 'live', into: null, version: 0, shown: new Set() };
    this.persons.push(person);
    return person;
  }

  hold(identity: IdentityName, owner: UserName, via: KeyName | null): void {
    this.holdings.set(identity, { owner, linkedAt: this.tick(), via });
  }

  /** One step of each one's version, after which contradictions that are none any more are over. */
  step(...names: readonly UserName[]): void {
    for (const name of names) {
      const person = this.person(name);
      person.version += 1;
      for (const identity of this.identitiesOf(name)) person.shown.add(identity);
    }
    for (const conflict of this.conflicts) if (conflict.decision === null) this.review(conflict);
  }

  private review(conflict: Contradiction): void {
    const [owner, keyOwner] = [this.holdings.get(conflict.identity)?.owner, this.keys.get(conflict.key)?.owner];
    const [first = '', second] = conflict.parties.map((party) => this.leader(party).name);
    const against = keyOwner ?? second;
    conflict.parties = [owner ?? first, ...(against === undefined ? [] : [against])];
    if (conflict.parties.length === 2 && conflict.parties[0] === against) conflict.decision = 'overtaken';
  }

  /** The accounts in which the two hold different unionIds (P4). */
  differing(a: UserName, b: UserName): string[] {
    const [ours, theirs] = [this.currentKeysOf(a), this.currentKeysOf(b)];
    return [...new Set(ours.map(accountOf))].filter((account) => theirs.some((key) => accountOf(key) === account));
  }

  fold(source: Person, target: Person): MergeRecord {
    const [identities, keys] = [this.identitiesOf(source.name), this.keysOf(source.name)];
    const at = this.tick();
    const parties = { source: source.name, target: target.name };
    const merge: MergeRecord = { name: this.name('merge'), ...parties, at, identities, keys, reverted: false };
    this.merges.push(merge);
    this.give(identities, keys, target.name);
    source.status = 'merged';
    source.into = target.name;
    this.step(source.name, target.name);
    return merge;
  }

  give(identities: readonly IdentityName[], keys: readonly KeyName[], to: UserName): void {
    for (const identity of identities) {
      const holding = this.holdings.get(identity);
      if (holding !== undefined) holding.owner = to;
    }
    for (const key of keys) {
      const held = this.keys.get(key);
      if (held !== undefined) held.owner = to;
    }
  }

  /** One open conflict per kind, identity and unionId. */
  contradict(kind: string, identity: IdentityName, key: KeyName, parties: readonly UserName[]): Contradiction {
    const open = this.conflicts.find(
      (one) => one.decision === null && one.kind === kind && one.identity === identity && one.key === key,
    );
    if (open !== undefined) {
      open.count += 1;
      open.parties = parties;
      return open;
    }
    const conflict = { name: this.name('conflict'), kind, identity, key, count: 1, decision: null, parties };
    this.conflicts.push(conflict);
    return conflict;
  }
}
