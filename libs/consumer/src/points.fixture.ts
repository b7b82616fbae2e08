import type { Envelope, IdentityRef } from '#events';
import { Applier } from './apply.js';
import type { Handlers } from './handlers.js';
import { seeded } from './harness/arrangements.js';
import type { History } from './harness/history.js';
import { identity } from './harness/random-history.js';
import { fromEnvelope } from './incoming.js';
import { People } from './people.js';
import { MemoryStore } from './store/memory-store.js';

/** A service that keeps points per (user, identity), as apps/sibling does, and histories that it goes through. */
export interface Points {
  readonly rows: Map<string, number>;
  readonly calls: string[];
}

const openIdOf = (one: IdentityRef): string => one.openId;

function shift({ rows }: Points, from: string, to: string, isMoved: (openId: string) => boolean): void {
  for (const [key, points] of rows) {
    const [userId = '', openId = ''] = key.split(' ');
    if (userId !== from || !isMoved(openId)) continue;
    rows.delete(key);
    rows.set(`${to} ${openId}`, (rows.get(`${to} ${openId}`) ?? 0) + points);
  }
}

export const handlers: Handlers<Points> = {
  onLinked: (userId, { openId }, tx) => void tx.calls.push(`linked ${userId} ${openId}`),
  onMerged(from, into, tx) {
    tx.calls.push(`merged ${from} ${into}`);
    shift(tx, from, into, () => true);
  },
  onReverted(source, target, returned, tx) {
    tx.calls.push(`reverted ${source} ${target}`);
    shift(tx, target, source, (openId) => returned.some((one) => one.openId === openId));
  },
  onMoved(from, to, moved, tx) {
    tx.calls.push(`moved ${from} ${to} ${moved.map(openIdOf).toSorted().join()}`);
    shift(tx, from, to, (openId) => moved.some((one) => one.openId === openId));
  },
  onErased(userId, tx) {
    tx.calls.push(`erased ${userId}`);
    for (const key of tx.rows.keys()) if (key.startsWith(`${userId} `)) tx.rows.delete(key);
  },
};

export const quiet = { answers: new Set<string>(), log: () => {} };
export const fresh = () => new MemoryStore<Points>({ rows: new Map(), calls: [] });

/** Feeds an arrangement one event at a time, and earns points between the events. */
export async function earnBetween(history: History, events: readonly Envelope[], seed: number) {
  const store = fresh();
  const applier = new Applier(store, handlers, quiet);
  const people = new People(store);
  const random = seeded(seed);
  const earned = new Map<string, number>();
  const known = identitiesOf(history);
  for (const event of events) {
    await applier.apply([fromEnvelope(event)]);
    const who = known[Math.floor(random() * known.length)];
    if (who === undefined) continue;
    await store.transaction(async ({ tx }) => {
      const asked = history.ownerOf(who);
      const local = await people.of(who, tx);
      const userId = local ?? (asked === null ? null : await people.learn(who, asked, tx));
      if (userId === null) return;
      tx.rows.set(`${userId} ${who.openId}`, (tx.rows.get(`${userId} ${who.openId}`) ?? 0) + 1);
      earned.set(who.openId, (earned.get(who.openId) ?? 0) + 1);
    });
  }
  return { store, people, earned, known };
}

/** Every identity that is named in a history. */
export function identitiesOf(history: History): readonly IdentityRef[] {
  const named = history.events.flatMap(({ data }) => [...JSON.stringify(data).matchAll(/"openId":"o(\d+)"/g)]);
  return [...new Set(named.map((match) => Number(match[1])))].map((n) => identity(n));
}
