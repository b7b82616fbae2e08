import type { IdentityRef } from '#events';

/**
 * What the follower remembers in the consumer's own database. Two implementations: SQL over pg or Prisma, and one in
 * memory for tests; one conformance suite holds both.
 */
export interface UserRow {
  readonly userId: string;
  /** Of the newest state seen: the guard. (0, 0): heard of, never seen. */
  readonly epoch: number;
  readonly version: number;
  readonly at: string;
  readonly status: 'live' | 'merged' | 'erased';
  /** As the newest state says. */
  readonly mergedInto: string | null;
  /** The redirect that was told to onMerged and not yet undone: where the data was moved to. */
  readonly foldedInto: string | null;
  /** Where this id's data is: the end of the chain of foldedInto. */
  readonly currentId: string;
}

/** What a state says; the follower's own columns are kept as they are. */
export type SeenUser = Omit<UserRow, 'foldedInto' | 'currentId'>;

export interface Holding extends IdentityRef {
  readonly userId: string;
  /** True: in the user's newest state. False: no longer, but data may still lie there under it. */
  readonly held: boolean;
}

/** A holding with what is known of its user. */
export interface PlacedHolding extends Holding {
  readonly at: string;
  readonly currentId: string;
}

export interface ParkedUser {
  readonly userId: string;
  readonly attempts: number;
}

export interface ParkedEvent {
  readonly position: number;
  /** A structured CloudEvent as JSON, or a raw record that could not be read. */
  readonly body: string;
}

export interface Answer {
  readonly kind: 'merge' | 'revert' | 'erasure';
  readonly id: string;
  /** Done when the newest applied state of this user is not older than `at`. */
  readonly userId: string;
  readonly at: string;
}

export interface Book {
  /** Held to the end of the transaction: one turn at a time in the whole database. */
  lockTurns(): Promise<void>;
  /** Locked to the end of the transaction, in id order. Unknown ids are left out. */
  users(userIds: readonly string[]): Promise<readonly UserRow[]>;
  /** A user we only heard of: version 0, so that any state is above it. Does nothing where there is a row. */
  note(userId: string): Promise<void>;
  /** Locked against turns, not against each other. */
  pin(userId: string): Promise<UserRow | null>;
  /** What is not above the guard, because somebody was quicker, throws LostRace. */
  saveUsers(rows: readonly SeenUser[]): Promise<void>;
  /** Sets foldedInto of one user, and currentId of it and of everybody folded into it. */
  fold(userId: string, foldedInto: string | null, currentId: string): Promise<void>;
  /** The user and everybody folded into it, directly or through others. */
  usersUnder(userId: string): Promise<readonly string[]>;
  /** Merged away by their state, but not folded: their redirects ran in a circle when they were seen. */
  unfolded(): Promise<readonly UserRow[]>;

  /** Which of these are in the map identity → user, with a user or without. */
  mapped(identities: readonly IdentityRef[]): Promise<readonly IdentityRef[]>;
  /** Puts into the map what is not there yet; answers how many that were. */
  claim(rows: readonly (IdentityRef & { readonly userId: string | null })[]): Promise<number>;
  /** Marks identities as linked once; answers those for which this is the first time. */
  markLinked(identities: readonly IdentityRef[]): Promise<readonly IdentityRef[]>;
  /** Only changes what is in the map. */
  setOwners(owners: readonly (IdentityRef & { readonly userId: string | null })[]): Promise<void>;
  ownerOf(identity: IdentityRef): Promise<string | null>;
  holdingsOf(userIds: readonly string[]): Promise<readonly Holding[]>;
  /** Everybody who has or had one of these. */
  holdingsFor(identities: readonly IdentityRef[]): Promise<readonly PlacedHolding[]>;
  putHoldings(rows: readonly Holding[]): Promise<void>;
  /** Notes that data may lie with this user under this identity. Does nothing where there is a row. */
  leave(row: Omit<Holding, 'held'>): Promise<void>;
  dropHoldings(rows: readonly Omit<Holding, 'held'>[]): Promise<void>;
  /** Destroys the identities of erased users, in the holdings and in the map. */
  forget(userIds: readonly string[]): Promise<void>;

  /** Which of these users are parked; locked, so that a retry that is under way is waited for. */
  parked(userIds: readonly string[]): Promise<ReadonlySet<string>>;
  park(userId: string, bodies: readonly string[], error: string): Promise<void>;
  /** Locks and answers one user whose retry is due, with its oldest events; null when there is none. */
  nextDue(eventsMax: number): Promise<{ readonly user: ParkedUser; readonly events: readonly ParkedEvent[] } | null>;
  unpark(userId: string, positions: readonly number[]): Promise<void>;
  postpone(userId: string, waitMs: number, error: string): Promise<void>;
  parkedCount(): Promise<number>;

  await(answers: readonly Answer[]): Promise<void>;
  /** Answers whose condition holds and which were not sent. */
  answersDue(limit: number): Promise<readonly Answer[]>;
  answered(answer: Answer): Promise<void>;

  /** A place in a stream, or a mark such as "booted". Locked to the end of the transaction. */
  cursor(name: string): Promise<string | null>;
  setCursor(name: string, value: string): Promise<void>;
}

/** One transaction: the book, and the handlers' way to the same transaction. */
export interface Unit<Tx> {
  readonly book: Book;
  readonly tx: Tx;
}

export interface FollowerStore<Tx> {
  ensureTables(): Promise<void>;
  /** The book inside a transaction that somebody else opened. */
  book(tx: Tx): Book;
  /** Runs and commits, or undoes everything and throws on. */
  transaction<T>(work: (unit: Unit<Tx>) => Promise<T>): Promise<T>;
}
