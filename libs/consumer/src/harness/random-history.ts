import type { IdentityRef } from '#events';
import { seeded } from './arrangements.js';
import { History } from './history.js';

export const identity = (n: number): IdentityRef => ({ appId: `app-${n % 3}`, openId: `o${n}` });

export interface RandomHistoryOptions {
  readonly seed: number;
  /** Default 30. */
  readonly steps?: number;
  /** Default true. */
  readonly withErasure?: boolean;
}

/** People who are created, linked, merged, reverted, split, unlinked and erased at random; the same for the same seed. */
export function randomHistory({ seed, steps = 30, withErasure = true }: RandomHistoryOptions): History {
  const random = seeded(seed);
  return historyOf(
    Array.from({ length: steps }, () => Math.floor(random() * 10_000)),
    withErasure,
  );
}

/** A history out of a list of numbers: what happens next is picked from what can happen now. */
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
