import fc from 'fast-check';
import type { Loaded } from '#store';
import { World } from '../change/world.js';
import type { PlacedObservation, ResolveResult } from './resolve-one.js';
import { resolveOne } from './resolve-one.js';

const apps = ['a1', 'a2', 'a3', 'a4'];
const limits = { identitiesPerUserMax: 100, identitiesPerUserPerHourMax: 0 };
const nothing: Loaded = {
  now: '2026-11-25T08:00:00.000Z',
  users: [],
  identities: [],
  unionKeys: [],
  separations: [],
  conflicts: [],
  departed: [],
  retired: [],
};

interface Sighting {
  readonly person: number;
  readonly app: string;
  readonly withUnionId: boolean;
}

const sightings = fc.array(
  fc.record<Sighting>({
    person: fc.integer({ min: 0, max: 4 }),
    app: fc.constantFrom(...apps),
    withUnionId: fc.boolean(),
  }),
  { minLength: 1, maxLength: 40 },
);

function observation({ person, app, withUnionId }: Sighting): PlacedObservation {
  return {
    appId: app,
    openId: `o-${person}-${app}`,
    unionId: withUnionId ? `u-${person}` : null,
    source: 'code2session',
    observedAt: null,
    entityId: 'acme',
    openPlatformId: 'op1',
    formerOpenPlatformIds: [],
    fingerprint: null,
    origin: { cause: 'login', actor: 'spec', requestId: null, traceparent: null, reason: null },
  };
}

function run(seen: readonly Sighting[]): { world: World; results: ResolveResult[] } {
  let id = 0;
  const world = new World(nothing, () => `id-${String((id += 1)).padStart(6, '0')}0`);
  return { world, results: seen.map((one) => resolveOne(world, observation(one), limits)) };
}

/** Which identities belong together, as sorted groups of openIds. */
function partition(world: World, seen: readonly Sighting[]): string[] {
  const owners = new Map<string, Set<string>>();
  for (const { person, app } of seen) {
    const openId = `o-${person}-${app}`;
    const owner = world.ownerOf(app, openId)?.id ?? 'nobody';
    owners.set(owner, (owners.get(owner) ?? new Set()).add(openId));
  }
  return [...owners.values()].map((group) => [...group].toSorted().join(' ')).toSorted();
}

/** The truth: an identity seen with its unionId belongs to that person; one never seen with it stands alone. */
function truth(seen: readonly Sighting[]): string[] {
  const groups = new Map<string, Set<string>>();
  const named = new Set(seen.filter(({ withUnionId }) => withUnionId).map(({ person, app }) => `${person} ${app}`));
  for (const { person, app } of seen) {
    const group = named.has(`${person} ${app}`) ? `person ${person}` : `alone ${person} ${app}`;
    groups.set(group, (groups.get(group) ?? new Set()).add(`o-${person}-${app}`));
  }
  return [...groups.values()].map((group) => [...group].toSorted().join(' ')).toSorted();
}

describe('Resolving', () => {
  it('finds the same people in any order and with any duplicates', () => {
    fc.assert(
      fc.property(sightings, fc.infiniteStream(fc.nat()), (seen, random) => {
        const shuffled = [...seen, ...seen].map((one) => ({ one, at: random.next().value ?? 0 }));
        const other = shuffled.toSorted((a, b) => a.at - b.at).map(({ one }) => one);
        expect(partition(run(seen).world, seen)).toEqual(truth(seen));
        expect(partition(run(other).world, other)).toEqual(truth(seen));
      }),
      { numRuns: 500 },
    );
  });

  it('lets every id it ever answered lead to one live user', () => {
    fc.assert(
      fc.property(sightings, (seen) => {
        const { world, results } = run(seen);
        for (const { user } of results) {
          const held = world.user(user.id);
          const end = held?.status === 'merged' ? world.user(held.leadsTo ?? '') : held;
          expect(end?.status).toBe('live');
        }
      }),
      { numRuns: 300 },
    );
  });

  it('steps versions 1, 2, 3 with one journal row each, and none where nothing changes', () => {
    fc.assert(
      fc.property(sightings, (seen) => {
        const { world } = run(seen);
        const rows = (world.changes().journal ?? []) as { userId: string; version: number | null }[];
        const versions = new Map<string, typeof rows>();
        for (const row of rows)
          if (row.version !== null) versions.set(row.userId, [...(versions.get(row.userId) ?? []), row]);
        for (const [userId, steps] of versions) {
          expect(steps.map(({ version }) => version)).toEqual(steps.map((_, index) => index + 1));
          expect(world.user(userId)?.version).toBe(steps.length);
        }
        const before = rows.length;
        for (const one of seen) resolveOne(world, observation({ ...one, withUnionId: false }), limits);
        expect(world.changes().journal).toHaveLength(before);
      }),
      { numRuns: 300 },
    );
  });
});
