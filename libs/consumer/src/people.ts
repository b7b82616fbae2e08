import type { IdentityRef } from '#events';
import type { FollowerStore } from './book.js';
import { racing } from './race.js';

/** Between reading the map and locking the user somebody may have moved the identity; it settles at once. */
const LOOKS_MAX = 5;

/**
 * Who somebody is, for your own requests. Ask inside the transaction that writes what the answer is for: the user stays
 * locked against merges to its end, so nothing is written under an id that is being folded away.
 */
export class People<Tx> {
  constructor(
    private readonly store: FollowerStore<Tx>,
    private readonly ask: (identity: IdentityRef) => Promise<string | null> = async () => null,
  ) {}

  /**
   * Does something for whoever has an identity, in one transaction; null when nobody has it. Where the events have not told
   * us yet, the identity service is asked, with no transaction open.
   */
  async act<T>(identity: IdentityRef, work: (userId: string, tx: Tx) => Promise<T>): Promise<T | null> {
    const known = await this.transaction(async (tx) => {
      const userId = await this.of(identity, tx);
      return userId === null ? null : { outcome: await work(userId, tx) };
    });
    if (known !== null) return known.outcome;
    const asked = await this.ask(identity);
    if (asked === null) return null;
    return this.transaction(async (tx) => work(await this.learn(identity, asked, tx), tx));
  }

  /** A transaction of your database; run once more where it lost a race against a merge. */
  transaction<T>(work: (tx: Tx) => Promise<T>): Promise<T> {
    return racing(() => this.store.transaction(({ tx }) => work(tx)));
  }

  /** The user an identity belongs to; null when that is not known here (yet): ask the identity service. */
  async of(identity: IdentityRef, tx: Tx): Promise<string | null> {
    const book = this.store.book(tx);
    for (let look = 1; look <= LOOKS_MAX; look += 1) {
      const userId = await book.ownerOf(identity);
      if (userId === null) return null;
      await book.pin(userId);
      if ((await book.ownerOf(identity)) === userId) return userId;
    }
    return null;
  }

  /** Where an id leads to, as far as is known here. An id that is not known is its own answer. */
  async current(userId: string, tx: Tx): Promise<string> {
    const book = this.store.book(tx);
    let id = userId;
    for (let look = 1; look <= LOOKS_MAX; look += 1) {
      const row = await book.pin(id);
      if (row === null || row.currentId === id) return id;
      id = row.currentId;
    }
    return id;
  }

  /**
   * Notes what the identity service answered, so that what is written under it now is moved when the events say so.
   * Answers the id to write under. Waits for a merge that is under way, so ask before you lock anything of your own.
   */
  async learn(identity: IdentityRef, userId: string, tx: Tx): Promise<string> {
    const book = this.store.book(tx);
    await book.lockTurns();
    const known = await this.of(identity, tx);
    if (known !== null) return known;
    await book.note(userId);
    const current = await this.current(userId, tx);
    await book.claim([{ ...identity, userId: null }]);
    await book.leave({ ...identity, userId: current });
    return current;
  }
}
