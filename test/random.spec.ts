import { type Acme, brokenInvariants, ok, startAcme } from './harness/acme.js';
import type { Json } from './harness/http.js';
import { inLanes } from './harness/lanes.js';
import { randomOf } from './harness/random.js';
import { counted, shortOrWhole } from './harness/torture.js';
import { type Change, changesOfNothing, draw } from './random/changes.js';
import { Said } from './random/said.js';

/** Scenarios 3 and 30: many at once, at random, over two API processes. The seed is printed when something is wrong. */

const seed = Number(process.env.SEED ?? Date.now() % 1_000_000);

/** Answers whole numbers below the one asked with. */
function numbersOf(start: number): (below: number) => number {
  const random = randomOf(start);
  return (below) => Math.floor(random() * below);
}

const apps = ['a1', 'a2', 'a3', 'a4'];
type Owners = Map<string, string>;
interface Folded {
  readonly owners: Owners;
  readonly leadsTo: (id: string) => string | null;
}

describe(`Random operations (SEED=${seed})`, () => {
  let acme: Acme;

  beforeEach(async () => {
    acme = await startAcme({ apis: 2 });
  });
  afterEach(() => acme.stop());

  const ownersOf = async (identities: { appId: string; openId: string }[]): Promise<Owners> => {
    const owners: Owners = new Map();
    for (let start = 0; start < identities.length; start += 1000) {
      const part = identities.slice(start, start + 1000);
      const { body } = ok(await acme.anyone().post('/v1/identities/lookup', { identities: part }));
      for (const { appId, openId, userId } of body.results)
        if (userId !== null) owners.set(`${appId}:${openId}`, userId);
    }
    return owners;
  };

  it('of logins end in exactly the truth, without one error', async () => {
    const random = numbersOf(seed);
    const count = shortOrWhole(1_500, 20_000);
    const logins = Array.from({ length: count }, () => ({
      person: random(count / 4),
      app: apps[random(4)] ?? 'a1',
      named: random(10) < 6,
    }));
    const statuses = new Map<number, number>();
    await inLanes(count, 32, async (index) => {
      const { person, app, named } = logins[index] ?? { person: 0, app: 'a1', named: false };
      const { status } = await acme.login(app, `open-${person}`, named ? `union-${person}` : undefined);
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
    });
    expect([...statuses]).toEqual([[200, count]]);
    const named = new Set(logins.filter((one) => one.named).map(({ person, app }) => `${app}:open-${person}`));
    const seen = [...new Set(logins.map(({ person, app }) => `${app}:open-${person}`))];
    const owners = await ownersOf(seen.map((key) => ({ appId: key.slice(0, 2), openId: key.slice(3) })));
    expect(owners.size).toBe(seen.length);
    const groups = new Map<string, string>();
    for (const key of seen) {
      const group = named.has(key) ? key.slice(3) : key;
      const owner = owners.get(key) ?? '';
      expect([key, groups.get(group) ?? owner]).toEqual([key, owner]);
      groups.set(group, owner);
    }
    expect(new Set(groups.values()).size).toBe(groups.size);
    expect(await brokenInvariants(acme.database)).toEqual([]);
  }, 300_000);

  it('of all kinds leave events that fold to what the API says, in whatever order the users come', async () => {
    const random = numbersOf(seed);
    const identities = Array.from({ length: 120 }, (_, index) => ({
      appId: apps[index % 4] ?? 'a1',
      openId: `open-${Math.floor(index / 4)}`,
      unionId: `union-${Math.floor(index / 4)}`,
    }));
    const said = new Said();
    const approving = ok(
      await acme.operator.post('/v1/api-keys', { entityId: 'acme', name: 'approving', scopes: ['merge'] }),
    ).body.key;
    await inLanes(shortOrWhole(600, 10_000), 16, async () => {
      const { what, send } = draw(random, identities, said);
      said.hear(what, await send(what === 'approve' ? acme.anyone().as(approving) : acme.anyone()));
    });
    expect(said.faults).toEqual([]);
    expect(await brokenInvariants(acme.database)).toEqual([]);

    const events = await readFeed();
    expect(typesOf(events)).toEqual(said.expected());
    expect(await readFeed()).toEqual(events);
    expect(new Set(events.map(({ id }) => id)).size).toBe(events.length);
    const truth = await ownersOf(identities.map(({ appId, openId }) => ({ appId, openId })));
    let destroyed = 0;
    for (const id of said.erasureIds)
      destroyed += ok(await acme.operator.get(`/v1/erasures/${id}`)).body.destroyed.identities;
    expect(truth.size).toBe(said.identitiesLeft(destroyed));
    const leads = await leadsOf([...said.ids]);
    const byUser = new Map<string, Json[]>();
    for (const event of events) byUser.set(event.subject, [...(byUser.get(event.subject) ?? []), event]);
    expect(new Set(byUser.keys())).toEqual(said.ids);
    for (const [, own] of byUser) expect(own.map(({ data }) => data.version)).toEqual(own.map((_, index) => index + 1));
    const expectTruth = ({ owners, leadsTo }: Folded): void => {
      expect(owners).toEqual(truth);
      for (const { id, status, userId } of leads)
        expect([id, leadsTo(id)]).toEqual([id, status === 'erased' ? null : userId]);
    };
    for (let round = 0; round < 100; round += 1) expectTruth(fold(interleave(byUser, random)));
    expectTruth(fold([...events, ...events]));
    // Wherever a reader stands in its second time through, it knows what it knew.
    for (let round = 0; round < 10; round += 1)
      expectTruth(fold([...events, ...events.slice(0, random(events.length))]));
    await inLanes(leads.length, 8, (index) => expectEntries(leads[index], byUser));
    await expectNothingFrom(changesOfNothing(truth, leads, events, said.separated));
    counted('random operations', { seed, users: said.ids.size, destroyed, ...said.expected() });
  }, 600_000);

  const leadsOf = async (ids: string[]): Promise<Json[]> => {
    const leads: Json[] = [];
    for (let start = 0; start < ids.length; start += 1000) {
      const asked = { ids: ids.slice(start, start + 1000) };
      leads.push(...ok(await acme.operator.post('/v1/users/lookup', asked)).body.results);
    }
    expect(leads.filter(({ status }) => status === 'unknown')).toEqual([]);
    return leads;
  };

  const readFeed = async (): Promise<Json[]> => {
    const events: Json[] = [];
    for (let after = ''; ;) {
      const { body } = ok(await acme.operator.get(`/v1/events?limit=200${after}`));
      events.push(...body.items.filter(({ sequence }: Json) => sequence !== undefined));
      if (body.items.length === 0) return events;
      after = `&after=${body.nextCursor}`;
    }
  };

  /** G6 and G10: an entry for each event, and each begins where the one before ended. */
  const expectEntries = async ({ id, status }: Json, byUser: ReadonlyMap<string, Json[]>): Promise<void> => {
    const entries: Json[] = [];
    for (let cursor = ''; ;) {
      const { body } = ok(await acme.operator.get(`/v1/users/${id}/history?limit=200${cursor}`));
      entries.unshift(...body.items.toReversed());
      if (body.nextCursor === null) break;
      cursor = `&cursor=${encodeURIComponent(body.nextCursor)}`;
    }
    const told = byUser.get(id)?.map((event) => [nameOf(event), event.data.version]);
    expect(entries.map(({ action, version }) => [action, version])).toEqual(told);
    for (const [index, { actor, before, after, at }] of entries.entries()) {
      expect([actor, Date.parse(at)]).toEqual([expect.stringMatching(/./), expect.any(Number)]);
      if (status === 'erased') expect([before, after]).toEqual([null, null]);
      else expect([before, after.version]).toEqual([entries[index - 1]?.after ?? null, index + 1]);
    }
  };

  /** G9: all of it is answered, and the tables are as they were. */
  const expectNothingFrom = async (changes: readonly Change[]): Promise<void> => {
    const before = await acme.database.query(everythingWritten);
    const kinds = new Set<string>();
    await inLanes(changes.length, 16, async (index) => {
      const change = changes[index];
      if (change === undefined) return;
      const { status, body } = await change.send(acme.anyone());
      kinds.add(`${change.what} ${body?.outcome ?? body?.results?.[0]?.outcome ?? body?.code ?? status}`);
    });
    const always = [
      'link 200',
      'login unchanged',
      'merge already_merged',
      'revert already_reverted',
      'split last_identity',
    ];
    // Who was separated may be erased since.
    const sometimes = ['erase 202', 'erase a merged one user_merged', 'separate 200', 'separate user_erased'];
    expect([...kinds]).toEqual(expect.arrayContaining(always));
    expect([...always, ...sometimes]).toEqual(expect.arrayContaining([...kinds]));
    expect(await acme.database.query(everythingWritten)).toEqual(before);
  };
});

/** Whatever a change leaves behind. The notice about an app is no change's: the service looks at bindings when it likes. */
const everythingWritten = `SELECT (SELECT count(*) FROM journal WHERE type <> 'identity.AppBindingSuspected.v1') AS journal,
        (SELECT max(id) FROM journal WHERE type <> 'identity.AppBindingSuspected.v1') AS last,
        (SELECT sum(version) FROM users) AS versions, (SELECT count(*) FROM admin_audit) AS administered,
        (SELECT sum(count) FROM conflict) AS contradictions, (SELECT count(*) FROM merge) AS merges`;

const nameOf = ({ type }: Json): string => type.split('.')[1];

/** How many of each type; see `Said.expected`. */
function typesOf(events: readonly Json[]): Record<string, number> {
  const counts = new Map<string, number>();
  for (const name of events.map(nameOf).map((one) => (one === 'UserRekeyed' ? 'UserKeyed' : one)))
    counts.set(name, (counts.get(name) ?? 0) + 1);
  return Object.fromEntries(counts);
}

/** Any order of the users; each user's own events stay in order. */
function interleave(byUser: ReadonlyMap<string, readonly Json[]>, random: (below: number) => number): Json[] {
  const queues = [...byUser.values()].map((events) => [...events]);
  const told: Json[] = [];
  while (queues.length > 0) {
    const at = random(queues.length);
    const event = queues[at]?.shift();
    if (event === undefined) queues.splice(at, 1);
    else told.push(event);
  }
  return told;
}

/** The simplest consumer: the newest state per user is all it keeps. */
function fold(events: readonly Json[]): Folded {
  const states = new Map<string, Json>();
  for (const { data } of events)
    if ((states.get(data.userId)?.version ?? 0) < data.version) states.set(data.userId, data.user);
  const owners: Owners = new Map();
  for (const state of states.values())
    for (const { appId, openId } of state.identities ?? []) owners.set(`${appId}:${openId}`, state.id);
  const leadsTo = (id: string): string | null => {
    const state = states.get(id);
    if (state?.status === 'merged') return leadsTo(state.mergedInto);
    return state?.status === 'live' ? id : null;
  };
  return { owners, leadsTo };
}
