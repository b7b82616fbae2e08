import fc from 'fast-check';
import { Applier } from './apply.js';
import type { Handlers } from './handlers.js';
import { arrangementsOf } from './harness/arrangements.js';
import { History } from './harness/history.js';
import { historyOf, identity } from './harness/random-history.js';
import { replay } from './harness/replay.js';
import { fromEnvelope } from './incoming.js';
import { People } from './people.js';
import type { Points } from './points.fixture.js';
import { earnBetween, fresh, handlers, identitiesOf, quiet } from './points.fixture.js';

const choices = fc.array(fc.nat({ max: 9999 }), { minLength: 3, maxLength: 40 });
const numRuns = 25;

const callsOf = (calls: readonly string[], word: string): number =>
  calls.filter((call) => call.startsWith(word)).length;
const happened = (history: History, name: string): number =>
  history.events.filter((event) => event.type.includes(name)).length;

describe('The follower', () => {
  it('ends the same however a history arrives, and right: maps as the service has them', async () => {
    await fc.assert(
      fc.asyncProperty(choices, fc.boolean(), fc.nat(), async (picked, withErasure, seed) => {
        const history = historyOf(picked, withErasure);
        for (const { events } of arrangementsOf(history.events, 3, seed)) {
          const store = fresh();
          await new Applier(store, handlers, quiet).apply(events.map(fromEnvelope));
          const people = new People(store);
          for (const one of identitiesOf(history)) {
            expect(await people.of(one, store.data)).toBe(history.ownerOf(one));
          }
          for (const id of [...history.ids('live'), ...history.ids('merged')]) {
            expect(await people.current(id, store.data)).toBe(history.current(id));
          }
        }
      }),
      { numRuns },
    );
  });

  it('brings what was earned under an identity to its owner, whenever it was earned', async () => {
    await fc.assert(
      fc.asyncProperty(choices, fc.nat(), async (picked, seed) => {
        const history = historyOf(picked, false);
        for (const { events } of arrangementsOf(history.events, 4, seed)) {
          const { store, earned, known } = await earnBetween(history, events, seed);
          for (const who of known) {
            const rows = [...store.data.rows].filter(([key]) => key.endsWith(` ${who.openId}`));
            const sum = rows.reduce((all, [, points]) => all + points, 0);
            expect(sum).toBe(earned.get(who.openId) ?? 0);
            const holders = rows.map(([key]) => key.split(' ')[0] ?? '');
            const owner = history.ownerOf(who);
            // Nobody has it now: what was earned is with somebody who is a user still.
            const isRight = (userId: string): boolean =>
              owner === null ? history.statusOf(userId) === 'live' : userId === owner;
            expect(holders.filter((userId) => !isRight(userId))).toEqual([]);
          }
        }
      }),
      { numRuns },
    );
  });

  it('keeps nothing under an erased user, nor under one that was folded into it', async () => {
    await fc.assert(
      fc.asyncProperty(choices, fc.nat(), async (picked, seed) => {
        const history = historyOf(picked, true);
        for (const { events } of arrangementsOf(history.events, 3, seed)) {
          const { store } = await earnBetween(history, events, seed);
          for (const key of store.data.rows.keys()) {
            expect(history.statusOf(history.current(key.split(' ')[0] ?? ''))).not.toBe('erased');
          }
        }
      }),
      { numRuns },
    );
  });

  it('tells each merge once, and its undoing once, when every event is seen in some order', async () => {
    await fc.assert(
      fc.asyncProperty(choices, fc.nat(), async (picked, seed) => {
        const history = historyOf(picked, false);
        const store = fresh();
        await new Applier(store, handlers, quiet).apply([...history.events, ...history.events].map(fromEnvelope));
        expect(callsOf(store.data.calls, 'merged')).toBe(happened(history, 'UserRedirected'));
        expect(callsOf(store.data.calls, 'reverted')).toBe(happened(history, 'UserRestored'));
        const ever = happened(history, 'UserRedirected') + happened(history, 'UserRestored');
        for (const { events } of arrangementsOf(history.events, 2, seed)) {
          const other = fresh();
          await new Applier(other, handlers, quiet).apply(events.map(fromEnvelope));
          expect(callsOf(other.data.calls, 'merged')).toBeLessThanOrEqual(ever);
        }
      }),
      { numRuns },
    );
  });

  it('is tried by the harness that ships with it', async () => {
    const history = new History().create('a', identity(0)).create('b', identity(1)).create('c', identity(2));
    const first = history.merge('a', 'b');
    const second = history.merge('b', 'c');
    history.revert(second).revert(first);
    history.merge('c', 'a');
    const tried = await replay(history.events, () => {
      const store = fresh();
      return { store, handlers, endState: () => [...store.data.rows] };
    });
    expect(tried).toBe(28);
  });

  it('is told by the harness when handlers depend on the order', async () => {
    const history = new History().create('a', identity(0)).create('b', identity(1));
    history.merge('a', 'b');
    const order: Handlers<Points> = { onUser: (change, tx) => void tx.calls.push(change.userId) };
    const tried = replay(history.events, () => {
      const store = fresh();
      return { store, handlers: order, endState: () => store.data.calls };
    });
    await expect(tried).rejects.toThrow('ends differently');
  });
});
