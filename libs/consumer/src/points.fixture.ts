import type { Envelope, IdentityRef } from '#events';
import { Applier } from './apply.js';
import type { Handlers } from './handlers.js';
import { seeded } from './harness/arrangements.js';
import { History } from './harness/history.js';
import { fromEnvelope } from './incoming.js';
import { People } from './people.js';
import { MemoryStore } from './store/memory-store.js';

/** A service that keeps points per (user, identity), as apps/sibling does, and histories that it goes through. */
export interface Points {
  readonly rows: Map<string, number>;
  readonly calls: string[];
}

const openIdOf = (one: IdentityRef): string => one.openId;
export const identity = (n: number): IdentityRef => ({ appId: `app-${n % 3}`, openId: `o${n}` });

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

/** A random history out of a list of numbers: what happens next is picked from what can happen now. */
export function historyOf(choices: readonly number[], withErasure: boolean): History {
  const history = new History();
  let users = 0;
  let identities = 0;
  for (const choice of choices) {
    const present = history.ids('live');
    const pick = <T>(from: readonly T[], salt: number): T | undefined => from[(choice * 31 + salt * 17) % from.length];
    const one = pick(present, 1);
    const others = present.filter((id) => id !== one);
    const other = pick(others, 2);
    const loose = Array.from({ length: identities }, (_, n) => identity(n)).filter(
      (candidate) => history.ownerOf(candidate) === null,
    );
    const [held, ...more] = one === undefined ? [] : history.identitiesOf(one);
    const kind = choice % 11;
    if (one === undefined || kind === 0) history.create(`u${(users += 1)}`, identity((identities += 1) - 1));
    else if (kind === 1) history.link(one, pick(loose, 3) ?? identity((identities += 1) - 1));
    else if (kind <= 5 && other !== undefined) history.merge(one, other);
    else if (kind <= 8 && history.revertible().length > 0) history.revert(pick(history.revertible(), 4) ?? '');
    else if (kind === 9 && held !== undefined && more.length > 0) history.split(one, `u${(users += 1)}`, [held]);
    else if (kind === 10 && withErasure && choice % 3 === 0) history.erase(one);
    else if (kind === 10 && held !== undefined && more.length > 0) history.unlink(one, held);
    else history.key(one);
  }
  return history;
}

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
