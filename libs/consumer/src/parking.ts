import type { Applier } from './apply.js';
import type { FollowerStore } from './book.js';
import { fromBody } from './incoming.js';
import type { Log } from './log.js';
import { reasonOf } from './reason.js';

export interface RetryOptions {
  /** After the first failure; doubles with each. Default 1 s. */
  readonly firstMs?: number;
  /** Default 5 minutes. */
  readonly maxMs?: number;
}

/**
 * Tries the steps of parked users again: the oldest step of a user first, each in a transaction of its own, the others
 * behind it. Answers whether there may be more that are due.
 */
export async function retryOne<Tx>(
  store: FollowerStore<Tx>,
  applier: Applier<Tx>,
  { firstMs = 1_000, maxMs = 300_000 }: RetryOptions,
  log: Log,
): Promise<'more' | 'idle'> {
  let tried: { readonly userId: string; readonly attempts: number } | null = null;
  try {
    return await store.transaction(async (unit) => {
      const due = await unit.book.nextDue(1);
      if (due === null) return 'idle';
      tried = due.user;
      for (const { body } of due.events) await applier.again(unit, fromBody(body));
      await unit.book.unpark(
        due.user.userId,
        due.events.map(({ position }) => position),
      );
      return 'more';
    });
  } catch (error) {
    if (tried === null) throw error;
    const { userId, attempts }: { userId: string; attempts: number } = tried;
    const waitMs = Math.min(maxMs, firstMs * 2 ** Math.min(attempts, 20));
    await store.transaction(({ book }) => book.postpone(userId, waitMs, reasonOf(error)));
    log('error', 'a parked user failed again', { userId, attempts: attempts + 1, waitMs, error });
    // Where everybody fails the cause is not one user: then slowly.
    return 'idle';
  }
}
