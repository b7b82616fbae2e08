import type { Book, FollowerStore, Unit } from './book.js';
import type { MergeProposedData } from '#events';
import { answersTo } from './answers.js';
import type { Handlers } from './handlers.js';
import type { Incoming } from './incoming.js';
import type { Log } from './log.js';
import { LostRace, racing } from './race.js';
import { reasonOf } from './reason.js';
import type { RunPlan } from './run.js';
import { planRun, seen } from './run.js';
import { turn } from './turn.js';

/** Steps in one transaction: enough that the commit costs nothing, few enough that a handler's rollback is cheap. */
const RUN_MAX = 100;

export interface Applied {
  steps: number;
  stale: number;
  /** Steps of users that were never seen here: a hole in the stream. States make up for it, handlers of events may not. */
  missed: number;
  parked: number;
}

export interface Progress {
  /** After each transaction, with how many of the records are done: heartbeats, offsets. False: no more now. */
  readonly between?: (done: number) => Promise<boolean>;
  /** In the transaction of the last record, so that a place in a stream moves together with the effects. */
  readonly finish?: (book: Book) => Promise<void>;
}

type Step = Extract<Incoming, { kind: 'step' }>;
type Finish = NonNullable<Progress['finish']>;

const nothingToFinish: Finish = async () => {};

/** Applies records in order, each once, whatever comes. Throws only when the database is away: then nothing is lost. */
export class Applier<Tx> {
  readonly applied: Applied = { steps: 0, stale: 0, missed: 0, parked: 0 };

  constructor(
    private readonly store: FollowerStore<Tx>,
    private readonly handlers: Handlers<Tx>,
    private readonly options: {
      readonly answers: ReadonlySet<string>;
      readonly log: Log;
      /** Left out: nobody asks us. */
      readonly consent?: (proposal: MergeProposedData) => Promise<void>;
    },
  ) {}

  /** Answers how many are done: all, unless `between` said to stop. */
  async apply(records: readonly Incoming[], { between, finish = nothingToFinish }: Progress = {}): Promise<number> {
    if (records.length === 0) await this.store.transaction(({ book }) => finish(book));
    let done = 0;
    let singlyUntil = 0;
    while (done < records.length) {
      const ahead = records.slice(done, done + RUN_MAX);
      const finishAt = (length: number): Finish => (done + length === records.length ? finish : nothingToFinish);
      const plain = done < singlyUntil ? 0 : await this.tryRun(ahead, finishAt);
      if (plain === 'failed') {
        singlyUntil = done + RUN_MAX;
        continue;
      }
      if (plain === 0) await this.applyOne(records[done], finishAt(1));
      done += Math.max(plain, 1);
      if (between !== undefined && !(await between(done))) break;
    }
    return done;
  }

  /** A parked event again, in the caller's transaction. Throws what the handler throws. */
  async again(unit: Unit<Tx>, record: Incoming): Promise<void> {
    if (record.kind === 'unreadable') throw new Error(record.problem);
    if (record.kind === 'step') await this.turnIn(unit, record);
  }

  /** How many of the first records could be done together; failed: a handler threw, and is to be found one by one. */
  private async tryRun(records: readonly Incoming[], finishAt: (length: number) => Finish): Promise<number | 'failed'> {
    try {
      const plan = await racing(() =>
        this.store.transaction(async (unit) => {
          const planned = await this.run(unit, records);
          await finishAt(planned.length)(unit.book);
          return planned;
        }),
      );
      this.applied.stale += plan.stale;
      for (const { missed } of plan.steps) this.count(missed);
      return plan.length;
    } catch (error) {
      this.options.log('warn', 'a handler failed in a run of steps; going on one by one', { error });
      return 'failed';
    }
  }

  private async applyOne(record: Incoming | undefined, finish: Finish): Promise<void> {
    if (record?.kind === 'proposal') await this.options.consent?.(record.proposal);
    if (record === undefined || record.kind === 'other' || record.kind === 'proposal')
      return this.store.transaction(({ book }) => finish(book));
    try {
      if (record.kind === 'unreadable') throw new Error(record.problem);
      const joined = await racing(() =>
        this.store.transaction(async (unit) => {
          const outcome = (await this.joinParked(unit.book, record)) ? 'parked' : await this.turnIn(unit, record);
          await finish(unit.book);
          return outcome;
        }),
      );
      if (joined !== 'parked') this.count(joined);
    } catch (error) {
      await this.park(record, error, finish);
    }
  }

  private async park(
    record: Step | Extract<Incoming, { kind: 'unreadable' }>,
    error: unknown,
    finish: Finish,
  ): Promise<void> {
    // The database being away fails here too, and is thrown: then the record comes again instead.
    await this.store.transaction(async ({ book }) => {
      await book.park(record.userId, [record.body()], reasonOf(error));
      await finish(book);
    });
    this.applied.parked += 1;
    this.options.log('error', 'a user is parked: its steps wait, the others go on', { userId: record.userId, error });
  }

  private async joinParked(book: Book, { userId, body }: Step): Promise<boolean> {
    if (!(await book.parked([userId])).has(userId)) return false;
    await book.park(userId, [body()], '');
    return true;
  }

  private async turnIn(unit: Unit<Tx>, { change }: Step): Promise<number | null> {
    const missed = await turn(unit, change, this.handlers);
    await unit.book.await(answersTo([change], this.options.answers));
    return missed;
  }

  /** Does what comes before the first step that needs a turn, set by set. */
  private async run({ book, tx }: Unit<Tx>, records: readonly Incoming[]): Promise<RunPlan> {
    const plan = await planRun(book, records);
    await book.saveUsers(plan.steps.map(({ change }) => seen(change)));
    const gained = plan.steps.flatMap((step) =>
      step.gained.map((identity) => ({ ...identity, userId: step.change.userId })),
    );
    if ((await book.claim(gained)) !== gained.length) throw new LostRace('somebody else brought the same identity');
    await book.markLinked(gained);
    await book.putHoldings(gained.map((row) => ({ ...row, held: true })));
    for (const step of plan.steps) {
      for (const identity of step.gained) await this.handlers.onLinked?.(step.change.userId, identity, tx);
      await this.handlers.onUser?.(step.change, tx);
    }
    for (const step of plan.parked) await book.park(step.userId, [step.body()], '');
    await book.await(answersTo(plan.read, this.options.answers));
    return plan;
  }

  private count(missed: number | null): void {
    if (missed === null) this.applied.stale += 1;
    else {
      this.applied.steps += 1;
      this.applied.missed += missed;
    }
  }
}
