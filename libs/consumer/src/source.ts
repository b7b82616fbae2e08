import type { Acknowledgement } from '#events';
import type { Progress } from './apply.js';
import type { Book } from './book.js';
import type { Incoming } from './incoming.js';
import type { Log } from './log.js';

/** What a source does with what it reads. */
export interface Sink {
  /** Answers how many are done. Throws when the database is away: hand them over again. */
  apply(records: readonly Incoming[], progress?: Progress): Promise<number>;
  /** A transaction of the follower's own tables: places in streams. */
  desk<T>(work: (book: Book) => Promise<T>): Promise<T>;
  /** Whether proposed merges are to be read too. */
  readonly wantsProposals: boolean;
  readonly log: Log;
}

export interface SourceHealth {
  /** False: it does not go on by itself any more, and the process must be started again. */
  readonly isLive: boolean;
  /** False: it is still at the beginning, or what it reads from does not answer. */
  readonly isReady: boolean;
  readonly problem: string | null;
}

/** Where the events come from, and where answers go. */
export interface Source {
  /** Begins to read, and answers at once; what cannot be reached is tried again for as long as it takes. */
  start(sink: Sink): void;
  /** Resolves when what was in hand is done. */
  stop(): Promise<void>;
  check(): Promise<SourceHealth>;
  /** Resolves when all were given, or refused for good; throws when they are to be given again. */
  answer(answers: readonly Acknowledgement[]): Promise<void>;
}
