import { ok } from '../harness/acme.js';
import type { Http, Json } from '../harness/http.js';
import type { Contradiction, IdentityName, KeyName, MergeRecord, People, Person } from './people.js';
import { accountOf, appOf, textOf } from './people.js';

/** The service under test as one sequence of commands sees it, and which id stands for which of the model's names. */
export class Service {
  private readonly ids = new Map<string, string>();
  private readonly names = new Map<string, string>();
  private readonly bornAt = new Map<number, string>();

  constructor(
    /** One of the API processes, in turn. */
    readonly api: () => Http,
    /** What only this sequence uses: sequences share a database and never meet. */
    readonly identities: readonly IdentityName[],
    readonly unionIds: readonly string[],
  ) {}

  /** The first time it is said it is learnt; from then on it has to stay true, both ways. */
  expectIs(name: string | null, id: string | null | undefined): void {
    if (name === null || id === null || id === undefined) {
      same([name, id ?? null], [null, null]);
      return;
    }
    same([name, this.ids.get(name) ?? id], [name, id]);
    same([id, this.names.get(id) ?? name], [id, name]);
    this.ids.set(name, id);
    this.names.set(id, name);
  }

  idOf(name: string): string {
    const id = this.ids.get(name);
    if (id === undefined) throw new Error(`the service has not shown ${name} yet`);
    return id;
  }

  expectUser(people: People, { name, version, born }: Person, shown: Json): void {
    this.expectIs(name, shown.id);
    const { createdAt } = shown;
    if (!this.bornAt.has(born)) this.bornAt.set(born, createdAt);
    const unionIds = shown.unionIds.map((key: Json) => `${key.openPlatformId}:${key.unionId}`).toSorted();
    const identities = shown.identities?.map((one: Json) => `${one.appId}:${one.openId}`).toSorted();
    same(
      { name, version: shown.version, status: shown.status, createdAt, unionIds, identities },
      {
        name,
        version,
        status: 'live',
        createdAt: this.bornAt.get(people.ageOf(name)),
        unionIds: people.currentKeysOf(name).toSorted(),
        identities: identities === undefined ? undefined : people.identitiesOf(name).toSorted(),
      },
    );
  }

  /** Whom every id and every identity leads to. */
  async expectLookUps(people: People): Promise<void> {
    if (people.persons.length === 0) return;
    const [users, identities] = await Promise.all([
      this.api().post('/v1/users/lookup', { ids: people.persons.map(({ name }) => this.idOf(name)) }),
      this.api().post('/v1/identities/lookup', { identities: this.identities.map(asRef) }),
    ]);
    const leads = people.persons.map(({ name, status }) => {
      const leader = people.leader(name);
      const id = this.idOf(name);
      return leader.status === 'erased' ? [id, 'erased', null] : [id, status, this.idOf(leader.name)];
    });
    same(
      ok(users).body.results.map(({ id, status, userId }: Json) => [id, status, userId]),
      leads,
    );
    const owners = this.identities.map((identity) => {
      const owner = people.holdings.get(identity)?.owner;
      return [identity, owner === undefined ? null : this.idOf(owner)];
    });
    same(
      ok(identities).body.results.map(({ appId, openId, userId }: Json) => [`${appId}:${openId}`, userId]),
      owners,
    );
  }

  /** Everything that can be looked up. */
  async expectEverything(people: People): Promise<void> {
    await this.expectLookUps(people);
    await Promise.all([
      ...people.persons.map((person) => this.expectPerson(people, person)),
      ...[...people.keys].map(([key, { owner, retired }]) => (retired ? null : this.expectKey(key, owner))),
      ...people.conflicts.map((conflict) => this.expectConflict(conflict)),
      ...people.merges.map((merge) => this.expectMerge(merge)),
    ]);
  }

  private async expectPerson(people: People, person: Person): Promise<void> {
    const id = this.idOf(person.name);
    const [{ status, body }, history] = await Promise.all([
      this.api().get(`/v1/users/${id}`),
      this.api().get(`/v1/users/${id}/history?limit=200`),
    ]);
    const leader = people.leader(person.name);
    same([person.name, status], [person.name, leader.status === 'erased' ? 410 : 200]);
    if (status === 200) this.expectUser(people, leader, body);
    if (status === 200) same(body.requestedUserId, leader === person ? undefined : id);
    const versions = Array.from({ length: person.version }, (_, index) => person.version - index);
    same(
      ok(history).body.items.map(({ version }: Json) => version),
      versions,
    );
  }

  private async expectKey(key: KeyName, owner: string): Promise<void> {
    const query = `unionId=${textOf(key)}&openPlatformId=${accountOf(key)}`;
    const { body } = ok(await this.api().get(`/v1/users?${query}`));
    same([key, body.items.map(({ id }: Json) => id)], [key, [this.idOf(owner)]]);
  }

  private async expectConflict({ name, kind, count, decision, parties }: Contradiction): Promise<void> {
    const { body } = ok(await this.api().get(`/v1/conflicts/${this.idOf(name)}`));
    same(
      [name, body.kind, body.count, body.status, body.decision],
      [name, kind, count, decision === null ? 'open' : 'resolved', decision],
    );
    // The second may have come by the unionId since, which nobody told the conflict.
    if (decision === null) same([name, body.userIds.includes(this.idOf(parties[0] ?? ''))], [name, true]);
  }

  private async expectMerge({ name, source, target, reverted }: MergeRecord): Promise<void> {
    // An automatic merge is told of by its event only; its id is known once it was looked for.
    const { body } = ok(await this.api().get(`/v1/merges/${await this.mergeId(name, source, target)}`));
    same([name, body.status], [name, reverted ? 'reverted' : 'merged']);
  }

  /** A login that merges does not name the merge: the newest of the two users is it. */
  async mergeId(name: string, source: string, target: string): Promise<string> {
    const known = this.ids.get(name);
    if (known !== undefined) return known;
    const { body } = ok(await this.api().get(`/v1/merges?userId=${this.idOf(source)}&limit=200`));
    const found = body.items.findLast((one: Json) => one.targetUserId === this.idOf(target));
    this.expectIs(name, found?.id);
    return found.id;
  }
}

export const asRef = (identity: IdentityName): { appId: string; openId: string } => ({
  appId: appOf(identity),
  openId: textOf(identity),
});

/** Compared as JSON: what comes over the wire has no other equality. */
export function same(shown: unknown, expected: unknown): void {
  const [one, other] = [JSON.stringify(shown), JSON.stringify(expected)];
  if (one !== other) throw new Error(`The service shows ${one}\nand the model has ${other}`);
}
