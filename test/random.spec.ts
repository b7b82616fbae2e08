import { type Acme, brokenInvariants, ok, startAcme } from './harness/acme.js';
import type { Answer, Json } from './harness/http.js';
import { shortOrWhole } from './harness/torture.js';

/** Scenarios 3 and 30: many at once, at random, over two API processes. The seed is printed when something is wrong. */

const seed = Number(process.env.SEED ?? Date.now() % 1_000_000);

/** mulberry32: small, seedable, good enough to choose by. */
function randomOf(start: number): (below: number) => number {
  let state = start;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

async function atOnce(count: number, lanes: number, work: (index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let index = next++; index < count; index = next++) await work(index);
  };
  await Promise.all(Array.from({ length: lanes }, lane));
}

const apps = ['a1', 'a2', 'a3', 'a4'];
type Owners = Map<string, string>;

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
    const random = randomOf(seed);
    const count = shortOrWhole(1_500, 20_000);
    const logins = Array.from({ length: count }, () => ({
      person: random(count / 4),
      app: apps[random(4)] ?? 'a1',
      named: random(10) < 6,
    }));
    const statuses = new Map<number, number>();
    await atOnce(count, 32, async (index) => {
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
    const random = randomOf(seed);
    const identities = Array.from({ length: 120 }, (_, index) => ({
      appId: apps[index % 4] ?? 'a1',
      openId: `open-${Math.floor(index / 4)}`,
      unionId: `union-${Math.floor(index / 4)}`,
    }));
    const ids = new Set<string>();
    const mergeIds: string[] = [];
    const pick = <T>(from: readonly T[]): T | undefined => from[random(from.length)];
    const operations: (() => Promise<Answer<Json>>)[] = [
      ...Array(6).fill(() => {
        const { appId, openId, unionId } = pick(identities) ?? { appId: 'a1', openId: 'open-0', unionId: '' };
        return acme.login(appId, openId, random(3) > 0 ? unionId : undefined);
      }),
      () =>
        acme.anyone().post('/v1/merges', {
          targetUserId: pick([...ids]) ?? 'nobody',
          sourceUserIds: [pick([...ids]) ?? 'nobody-else'],
          reason: 'random',
          allowDifferentUnionIds: random(2) === 0,
        }),
      () => acme.anyone().post(`/v1/merges/${pick(mergeIds) ?? 'none'}/revert`, { reason: 'random' }),
      () => {
        const { appId, openId } = pick(identities) ?? { appId: '', openId: '' };
        return acme
          .anyone()
          .post(`/v1/users/${pick([...ids]) ?? 'none'}/split`, { identities: [{ appId, openId }], reason: 'random' });
      },
      () => {
        const { appId, openId } = pick(identities) ?? { appId: '', openId: '' };
        return acme.anyone().delete(`/v1/identities/${appId}/${openId}`);
      },
      () => acme.anyone().put('/v1/separations', { userIds: [pick([...ids]), pick([...ids])], reason: 'random' }),
      ...(random(2) === 0 ? [] : [() => acme.anyone().delete(`/v1/users/${pick([...ids]) ?? 'none'}`)]),
    ];
    const errors: unknown[] = [];
    await atOnce(shortOrWhole(600, 10_000), 16, async () => {
      const { status, body } = (await pick(operations)?.()) ?? { status: 0, body: null };
      if (status >= 500 || status === 0) errors.push(body);
      if (body?.user?.id !== undefined) ids.add(body.user.id);
      if (status === 201 && body?.id !== undefined && body.identities !== undefined) ids.add(body.id);
      for (const result of body?.results ?? []) if (result.outcome === 'merged') mergeIds.push(result.mergeId);
    });
    expect(errors).toEqual([]);
    expect(await brokenInvariants(acme.database)).toEqual([]);

    const events: Json[] = [];
    for (let after = ''; ;) {
      const { body } = ok(await acme.operator.get(`/v1/events?limit=200${after}`));
      events.push(...body.items.filter(({ sequence }: Json) => sequence !== undefined));
      if (body.items.length === 0) break;
      after = `&after=${body.nextCursor}`;
    }
    const truth = await ownersOf(identities.map(({ appId, openId }) => ({ appId, openId })));
    const { body } = ok(await acme.operator.post('/v1/users/lookup', { ids: [...ids] }));
    const byUser = new Map<string, Json[]>();
    for (const event of events) byUser.set(event.subject, [...(byUser.get(event.subject) ?? []), event]);
    for (const [, own] of byUser) expect(own.map(({ data }) => data.version)).toEqual(own.map((_, index) => index + 1));
    for (let round = 0; round < 100; round += 1) {
      const folded = fold(interleave(byUser, random));
      expect(folded.owners).toEqual(truth);
      for (const { id, status, userId } of body.results)
        expect([id, folded.leadsTo(id)]).toEqual([id, status === 'erased' ? null : userId]);
    }
    expect(fold([...events, ...events]).owners).toEqual(truth);
  }, 300_000);
});

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
function fold(events: readonly Json[]): { owners: Owners; leadsTo: (id: string) => string | null } {
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
