import fc from 'fast-check';
import type { Envelope } from '#events';
import { Applier } from './apply.js';
import type { Handlers } from './handlers.js';
import { arrangementsOf } from './harness/arrangements.js';
import { History } from './harness/history.js';
import { historyOf, identity } from './harness/random-history.js';
import { fromEnvelope } from './incoming.js';
import { retryOne } from './parking.js';
import type { Points } from './points.fixture.js';
import { fresh, handlers, identitiesOf, quiet } from './points.fixture.js';

const participant = { ...quiet, answers: new Set(['merge', 'erasure']) };
const versionsSeen: Handlers<Points> = {
  onUser: ({ userId, epoch, version }, tx) => void tx.calls.push(`${userId} ${epoch}.${version}`),
};
const inEpoch = (events: readonly Envelope[], epoch: number): Envelope[] =>
  events.map((event) => ({ ...event, epoch }));
/** Steps of one user go through sets, a merge's halves through turns. */
const keyed = (steps: number, name = 'a'): History => {
  const history = new History().create(name, identity(0));
  for (let step = 1; step < steps; step += 1) history.key(name);
  return history;
};

describe('What the follower promises its service', () => {
  it('is that the newer epoch wins whatever the version, and the older one is ignored', async () => {
    const { events } = keyed(4);
    const store = fresh();
    const applier = new Applier(store, versionsSeen, quiet);
    const apply = (...some: readonly Envelope[]): Promise<number> => applier.apply(some.map(fromEnvelope));
    await apply(...events.slice(0, 3));
    await apply(...inEpoch(events.slice(1, 2), 2));
    await apply(...events);
    await apply(...inEpoch(events.slice(0, 3), 2));
    expect(store.data.calls).toEqual(['a 1.1', 'a 1.2', 'a 1.3', 'a 2.2', 'a 2.3']);
    expect(applier.applied).toMatchObject({ steps: 5, stale: 6 });
  });

  it('is that it counts the steps which it never saw, and takes no new epoch for a hole', async () => {
    const history = keyed(6);
    history.create('b', identity(1));
    history.merge('a', 'b');
    const applier = new Applier(fresh(), {}, quiet);
    const apply = (...some: readonly (Envelope | undefined)[]): Promise<number> =>
      applier.apply(some.flatMap((event) => (event === undefined ? [] : [fromEnvelope(event)])));
    const [first, second, , fourth, fifth, , born, redirected, merged] = history.events;
    await apply(first, second);
    expect(applier.applied.missed).toBe(0);
    await apply(fourth);
    expect(applier.applied.missed).toBe(1);
    await apply(fifth, born);
    expect(applier.applied.missed).toBe(1);
    await apply(redirected, merged);
    expect(applier.applied.missed).toBe(2);
    await apply(...inEpoch(keyed(9, 'b').events.slice(8), 2));
    expect(applier.applied.missed).toBe(2);
  });

  it('is that it tells of each identity once, whoever has it later and however often it is said', async () => {
    const choices = fc.array(fc.nat({ max: 9999 }), { minLength: 3, maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(choices, fc.nat(), async (picked, seed) => {
        const history = historyOf(picked, false);
        for (const { events } of arrangementsOf(history.events, 3, seed)) {
          const store = fresh();
          await new Applier(store, handlers, quiet).apply(events.map(fromEnvelope));
          const linked = store.data.calls.filter((call) => call.startsWith('linked'));
          const openIds = linked.map((call) => call.split(' ')[2]);
          expect(new Set(openIds).size).toBe(openIds.length);
          for (const id of history.ids('live'))
            for (const { openId } of history.identitiesOf(id)) expect(openIds).toContain(openId);
        }
        const store = fresh();
        await new Applier(store, handlers, quiet).apply(history.events.map(fromEnvelope));
        const linked = store.data.calls.filter((call) => call.startsWith('linked'));
        expect(linked).toHaveLength(identitiesOf(history).length);
      }),
      { numRuns: 25 },
    );
  });

  it('is that merges, their undoing and erasures are acknowledged, once, and not while a half of them is parked', async () => {
    const history = new History().create('a', identity(0)).create('b', identity(1)).create('c', identity(2));
    const mergeId = history.merge('a', 'b');
    const merging = history.events.length;
    history.revert(mergeId);
    const undoing = history.events.length;
    history.erase('c');
    const store = fresh();
    const broken = new Set(['merged', 'reverted', 'erased']);
    const unless = (what: string): void => {
      if (broken.has(what)) throw new Error(`${what} is broken`);
    };
    const fragile: Handlers<Points> = {
      onMerged: () => unless('merged'),
      onReverted: () => unless('reverted'),
      onErased: () => unless('erased'),
    };
    const applier = new Applier(store, fragile, participant);
    const due = (): Promise<string[]> =>
      store.transaction(async ({ book }) => (await book.answersDue(10)).map(({ kind, id }) => `${kind} ${id}`));
    const mend = async (what: string): Promise<void> => {
      broken.delete(what);
      while ((await retryOne(store, applier, { firstMs: 0 }, () => {})) === 'more');
    };
    const say = async (from: number, to?: number): Promise<void> => {
      await applier.apply(history.events.slice(from, to).map(fromEnvelope));
    };
    await say(0, merging);
    expect(await due()).toEqual([]);
    await mend('merged');
    expect(await due()).toEqual([`merge ${mergeId}`]);
    await say(merging, undoing);
    expect(await due()).toEqual([`merge ${mergeId}`]);
    await mend('reverted');
    expect(await due()).toEqual([`merge ${mergeId}`, `revert ${mergeId}`]);
    await say(undoing);
    expect(await due()).toHaveLength(2);
    await mend('erased');
    expect(await due()).toEqual([`merge ${mergeId}`, `revert ${mergeId}`, 'erasure erasure-c']);
    await store.transaction(async ({ book }) => {
      for (const answer of await book.answersDue(10)) await book.answered(answer);
    });
    await say(0);
    expect(await due()).toEqual([]);
  });
});
