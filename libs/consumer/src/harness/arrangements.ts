import type { Envelope } from '#events';
import { userStateType } from '#events';

/** One way a history may reach a consumer. */
export interface Arrangement {
  readonly name: string;
  readonly events: readonly Envelope[];
}

/** A small seeded generator (mulberry32): a failing arrangement is named by its seed and comes again. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Every way that the contract allows: per user in version order, and beyond that anything. */
export function arrangementsOf(history: readonly Envelope[], shuffles: number, seed: number): readonly Arrangement[] {
  const users = [...new Set(history.map((event) => event.key))];
  const states = newestStates(history);
  const byUser = (order: readonly string[]) => order.flatMap((key) => history.filter((event) => event.key === key));
  const fixed: Arrangement[] = [
    { name: 'as it happened', events: history },
    { name: 'every event twice', events: history.flatMap((event) => [event, event]) },
    { name: 'from the start once more', events: [...history, ...history] },
    { name: 'one user after the other', events: byUser(users) },
    { name: 'one user after the other, the last first', events: byUser(users.toReversed()) },
    { name: 'only the newest states', events: states },
    { name: 'the newest states, then all events', events: [...states, ...history] },
    { name: 'the newest states between the events', events: weave([history, states], seeded(seed)) },
  ];
  const shuffled = Array.from({ length: shuffles }, (_, n): Arrangement => {
    const random = seeded(seed + n);
    const queues = users.map((key) => history.filter((event) => event.key === key));
    const redelivered = queues.map((queue) => redeliver(queue, random));
    return {
      name: `shuffled across users with redeliveries and gaps, seed ${seed + n}`,
      events: weave(redelivered, random),
    };
  });
  return [...fixed, ...shuffled];
}

/** What a reader of the states topic gets: one record a user, the newest. */
export function newestStates(history: readonly Envelope[]): readonly Envelope[] {
  const newest = new Map(history.map((event) => [event.key, event]));
  return [...newest.values()].map((event) => {
    const data = event.data;
    const state = typeof data === 'object' && data !== null && 'user' in data ? data.user : null;
    return { ...event, id: `${event.id}-state`, type: userStateType, data: state };
  });
}

/** A queue as at-least-once delivery may hand it over: steps come again, after a step back, and some never come. */
function redeliver(queue: readonly Envelope[], random: () => number): Envelope[] {
  const delivered: Envelope[] = [];
  for (const [n, event] of queue.entries()) {
    const isLast = n === queue.length - 1;
    if (!isLast && random() < 0.15) continue;
    delivered.push(event);
    if (random() < 0.2) delivered.push(...queue.slice(Math.max(0, n - 2), n + 1));
  }
  return delivered;
}

function weave(queues: readonly (readonly Envelope[])[], random: () => number): Envelope[] {
  const rest = queues.map((queue) => [...queue]).filter((queue) => queue.length > 0);
  const woven: Envelope[] = [];
  while (rest.length > 0) {
    const at = Math.floor(random() * rest.length);
    const next = rest[at]?.shift();
    if (next !== undefined) woven.push(next);
    if (rest[at]?.length === 0) rest.splice(at, 1);
  }
  return woven;
}
