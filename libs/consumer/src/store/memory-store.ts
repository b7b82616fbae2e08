import type { IdentityRef } from '#events';
import type { Answer, Book, FollowerStore, Holding, ParkedEvent, SeenUser, Unit, UserRow } from '../book.js';
import { identityKey } from '../identity-set.js';
import { LostRace } from '../race.js';

interface State {
  users: Map<string, UserRow>;
  map: Map<string, { appId: string; openId: string; userId: string | null; linked: boolean }>;
  holdings: Map<string, Holding>;
  parkedUsers: Map<string, { userId: string; attempts: number; error: string }>;
  parkedEvents: { userId: string; position: number; body: string }[];
  answers: Map<string, Answer & { sent: boolean }>;
  cursors: Map<string, string | null>;
  position: number;
}

const holdingKey = (row: Omit<Holding, 'held'>): string => `${identityKey(row)}\n${row.userId}`;

/**
 * A database in memory, for tests of your handlers that need no PostgreSQL. `data` is your own part of it; both are
 * undone together when a handler throws. One transaction at a time.
 */
export class MemoryStore<Data> implements FollowerStore<Data> {
  private state: State = {
    users: new Map(),
    map: new Map(),
    holdings: new Map(),
    parkedUsers: new Map(),
    parkedEvents: [],
    answers: new Map(),
    cursors: new Map(),
    position: 0,
  };
  private queue: Promise<unknown> = Promise.resolve();

  constructor(public data: Data) {}

  async ensureTables(): Promise<void> {}

  book(_data: Data): MemoryBook {
    return new MemoryBook(this.state);
  }

  transaction<T>(work: (unit: Unit<Data>) => Promise<T>): Promise<T> {
    const turn = this.queue.then(async () => {
      const before = structuredClone({ state: this.state, data: this.data });
      try {
        return await work({ tx: this.data, book: new MemoryBook(this.state) });
      } catch (error) {
        ({ state: this.state, data: this.data } = before);
        throw error;
      }
    });
    this.queue = turn.catch(() => {});
    return turn;
  }
}

class MemoryBook implements Book {
  constructor(private readonly state: State) {}

  async lockTurns(): Promise<void> {}

  async users(userIds: readonly string[]): Promise<readonly UserRow[]> {
    return userIds.flatMap((id) => this.state.users.get(id) ?? []);
  }

  async note(userId: string): Promise<void> {
    if (this.state.users.has(userId)) return;
    const nothingSeen = { epoch: 0, version: 0, at: '', status: 'live', mergedInto: null, foldedInto: null } as const;
    this.state.users.set(userId, { userId, ...nothingSeen, currentId: userId });
  }

  async pin(userId: string): Promise<UserRow | null> {
    return this.state.users.get(userId) ?? null;
  }

  async saveUsers(rows: readonly SeenUser[]): Promise<void> {
    for (const row of rows) {
      const before = this.state.users.get(row.userId);
      const isOld = before !== undefined && (before.epoch - row.epoch || before.version - row.version) >= 0;
      if (isOld) throw new LostRace('a newer state of the same user was written meanwhile');
      this.state.users.set(row.userId, { foldedInto: null, currentId: row.userId, ...before, ...row });
    }
  }

  async fold(userId: string, foldedInto: string | null, currentId: string): Promise<void> {
    this.patch(userId, { foldedInto });
    for (const id of await this.usersUnder(userId)) this.patch(id, { currentId });
  }

  async usersUnder(userId: string): Promise<readonly string[]> {
    const found = new Set([userId]);
    for (const id of found)
      for (const row of this.state.users.values()) if (row.foldedInto === id) found.add(row.userId);
    return [...found];
  }

  async unfolded(): Promise<readonly UserRow[]> {
    const rows = [...this.state.users.values()].filter((row) => row.status === 'merged' && row.foldedInto === null);
    return rows.toSorted((a, b) => (a.userId < b.userId ? -1 : 1));
  }

  async mapped(identities: readonly IdentityRef[]): Promise<readonly IdentityRef[]> {
    return identities.filter((identity) => this.state.map.has(identityKey(identity)));
  }

  async claim(rows: readonly (IdentityRef & { readonly userId: string | null })[]): Promise<number> {
    const fresh = rows.filter((row) => !this.state.map.has(identityKey(row)));
    for (const row of fresh) this.state.map.set(identityKey(row), { ...row, linked: false });
    return fresh.length;
  }

  async markLinked(identities: readonly IdentityRef[]): Promise<readonly IdentityRef[]> {
    const first = identities.flatMap((identity) => this.state.map.get(identityKey(identity)) ?? []);
    const unlinked = first.filter((row) => !row.linked);
    for (const row of unlinked) row.linked = true;
    return unlinked.map(({ appId, openId }) => ({ appId, openId }));
  }

  async setOwners(owners: readonly (IdentityRef & { readonly userId: string | null })[]): Promise<void> {
    for (const owner of owners) {
      const row = this.state.map.get(identityKey(owner));
      if (row !== undefined) row.userId = owner.userId;
    }
  }

  async ownerOf(identity: IdentityRef): Promise<string | null> {
    return this.state.map.get(identityKey(identity))?.userId ?? null;
  }

  async holdingsOf(userIds: readonly string[]): Promise<readonly Holding[]> {
    return [...this.state.holdings.values()].filter((row) => userIds.includes(row.userId));
  }

  async holdingsFor(identities: readonly IdentityRef[]) {
    const keys = new Set(identities.map(identityKey));
    return [...this.state.holdings.values()]
      .filter((row) => keys.has(identityKey(row)))
      .map((row) => {
        const user = this.state.users.get(row.userId);
        return { ...row, at: user?.at ?? '', currentId: user?.currentId ?? row.userId };
      });
  }

  async putHoldings(rows: readonly Holding[]): Promise<void> {
    for (const { appId, openId, userId, held } of rows) {
      this.state.holdings.set(holdingKey({ appId, openId, userId }), { appId, openId, userId, held });
    }
  }

  async leave(row: Omit<Holding, 'held'>): Promise<void> {
    if (!this.state.holdings.has(holdingKey(row))) await this.putHoldings([{ ...row, held: false }]);
  }

  async dropHoldings(rows: readonly Omit<Holding, 'held'>[]): Promise<void> {
    for (const row of rows) this.state.holdings.delete(holdingKey(row));
  }

  async forget(userIds: readonly string[]): Promise<void> {
    const gone = await this.holdingsOf(userIds);
    await this.dropHoldings(gone);
    for (const row of gone) {
      if ((await this.holdingsFor([row])).length === 0) this.state.map.delete(identityKey(row));
    }
  }

  async parked(userIds: readonly string[]): Promise<ReadonlySet<string>> {
    return new Set(userIds.filter((id) => this.state.parkedUsers.has(id)));
  }

  async park(userId: string, bodies: readonly string[], error: string): Promise<void> {
    if (!this.state.parkedUsers.has(userId)) this.state.parkedUsers.set(userId, { userId, attempts: 0, error });
    for (const body of bodies) this.state.parkedEvents.push({ userId, position: (this.state.position += 1), body });
  }

  /** Due at once, whatever `postpone` said: tests do not wait. */
  async nextDue(eventsMax: number) {
    const [user] = this.state.parkedUsers.values();
    if (user === undefined) return null;
    const events: ParkedEvent[] = this.state.parkedEvents.filter((event) => event.userId === user.userId);
    return { user: { userId: user.userId, attempts: user.attempts }, events: events.slice(0, eventsMax) };
  }

  async unpark(userId: string, positions: readonly number[]): Promise<void> {
    this.state.parkedEvents = this.state.parkedEvents.filter((event) => !positions.includes(event.position));
    if (this.state.parkedEvents.every((event) => event.userId !== userId)) this.state.parkedUsers.delete(userId);
  }

  async postpone(userId: string, _waitMs: number, error: string): Promise<void> {
    const user = this.state.parkedUsers.get(userId);
    if (user === undefined) return;
    // To the back of the line, so that one that fails for ever does not hide the others.
    this.state.parkedUsers.delete(userId);
    this.state.parkedUsers.set(userId, { userId, attempts: user.attempts + 1, error });
  }

  async parkedCount(): Promise<number> {
    return this.state.parkedUsers.size;
  }

  async await(answers: readonly Answer[]): Promise<void> {
    for (const answer of answers) {
      const key = `${answer.kind} ${answer.id}`;
      if (!this.state.answers.has(key)) this.state.answers.set(key, { ...answer, sent: false });
    }
  }

  async answersDue(limit: number): Promise<readonly Answer[]> {
    const due = [...this.state.answers.values()].filter(({ sent, userId, at }) => {
      const user = this.state.users.get(userId);
      return !sent && user !== undefined && user.at >= at;
    });
    return due.slice(0, limit).map(({ kind, id, userId, at }) => ({ kind, id, userId, at }));
  }

  async answered({ kind, id }: Answer): Promise<void> {
    const answer = this.state.answers.get(`${kind} ${id}`);
    if (answer !== undefined) answer.sent = true;
  }

  async cursor(name: string): Promise<string | null> {
    return this.state.cursors.get(name) ?? null;
  }

  async setCursor(name: string, value: string): Promise<void> {
    this.state.cursors.set(name, value);
  }

  private patch(userId: string, change: Partial<UserRow>): void {
    const row = this.state.users.get(userId);
    if (row !== undefined) this.state.users.set(userId, { ...row, ...change });
  }
}
