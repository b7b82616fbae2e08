import type { Acknowledgement, MergeProposedData } from '#events';
import type { Applied } from './apply.js';
import { Applier } from './apply.js';
import type { FollowerStore } from './book.js';
import type { ServiceOptions } from './feed/service-client.js';
import { ServiceClient } from './feed/service-client.js';
import type { Handlers } from './handlers.js';
import type { Log } from './log.js';
import { Loop } from './loop.js';
import type { RetryOptions } from './parking.js';
import { retryOne } from './parking.js';
import { People } from './people.js';
import { answerProposal } from './proposals.js';
import type { Source, SourceHealth } from './source.js';
import { within } from './within.js';

export interface Participant {
  /** The name the identity service knows you by (PUT /v1/participants/{name}). */
  readonly name: string;
  /** As registered there. */
  readonly acknowledges: readonly ('merge' | 'erasure')[];
}

export interface FollowerOptions<Tx> {
  /** `kafka({ … })` or `feed({ … })`. */
  readonly source: Source;
  /** `pgStore(pool)` or `prismaStore(prisma)`: your own database. */
  readonly store: FollowerStore<Tx>;
  readonly handlers: Handlers<Tx>;
  /** Set where the identity service waits for your answers. */
  readonly participant?: Participant;
  /** Whom `people.act` asks about somebody of whom the events have not told yet. */
  readonly identityService?: ServiceOptions;
  readonly retry?: RetryOptions;
  /** How long `stop()` waits for a transaction in hand. Default 8 s: supervisors kill after 10. */
  readonly stopWithinMs?: number;
  readonly log?: Log;
}

export interface Health extends SourceHealth {
  /** Users whose handler threw: they wait, and are tried again. */
  readonly parkedUsers: number | null;
  /** Since the start of this process. */
  readonly applied: Readonly<Applied>;
}

const parkingIdleMs = 500;
const answersIdleMs = 500;
const answersMax = 100;
const databaseAnswersMs = 3_000;

/**
 * Follows the identity service: keeps who is who in your database, and tells your handlers when that changes, once each.
 * NestJS calls the hooks by their names; without Nest call `start()` and `stop()`.
 */
export class IdentityFollower<Tx> {
  /** Who somebody is, from your own database. */
  readonly people: People<Tx>;
  private readonly applier: Applier<Tx>;
  private readonly log: Log;
  private readonly loops: readonly Loop[];
  private stopping: Promise<void> | null = null;
  /** The answers that are on their way: a source takes one call at a time. */
  private giving: Promise<void> = Promise.resolve();

  constructor(private readonly options: FollowerOptions<Tx>) {
    const { store, handlers, participant, identityService, retry = {} } = options;
    this.log = options.log ?? (() => {});
    const service = identityService === undefined ? null : new ServiceClient(identityService);
    this.people = new People(store, async (identity) => service?.ownerOf(identity) ?? null);
    this.applier = new Applier(store, handlers, {
      answers: new Set(participant?.acknowledges),
      log: this.log,
      ...this.consenting(),
    });
    const parking = new Loop(() => retryOne(store, this.applier, retry, this.log), {
      name: 'trying parked users again',
      log: this.log,
      idleMs: parkingIdleMs,
    });
    const answering = new Loop(() => this.giveAnswers(), {
      name: 'acknowledging',
      log: this.log,
      idleMs: answersIdleMs,
    });
    this.loops = participant === undefined ? [parking] : [parking, answering];
  }

  /** Makes its tables where they are missing, and begins. What is away later is waited for; `health()` tells. */
  async start(): Promise<void> {
    const { store, source } = this.options;
    await store.ensureTables();
    source.start({
      log: this.log,
      apply: (records, progress) => this.applier.apply(records, progress),
      desk: (work) => store.transaction(({ book }) => work(book)),
      wantsProposals: this.options.handlers.onMergeProposed !== undefined,
    });
    for (const loop of this.loops) loop.start();
  }

  /**
   * Ends after the transaction in hand: nothing is lost, and nothing is repeated. One that takes longer than we may wait is
   * left to the end of the process, which undoes it.
   */
  stop(): Promise<void> {
    this.stopping ??= this.stopAll();
    return this.stopping;
  }

  /** For your probes: liveness is `isLive`, readiness `isReady`. */
  async health(): Promise<Health> {
    const { source, store } = this.options;
    const [found, parked] = await Promise.all([
      source.check(),
      within(
        databaseAnswersMs,
        store.transaction(({ book }) => book.parkedCount()),
        'the database does not answer',
      ).catch((error: Error) => error),
    ]);
    const { applied } = this.applier;
    if (typeof parked === 'number') return { ...found, parkedUsers: parked, applied };
    return { ...found, isReady: false, problem: found.problem ?? parked.message, parkedUsers: null, applied };
  }

  onApplicationBootstrap(): Promise<void> {
    return this.start();
  }

  beforeApplicationShutdown(): Promise<void> {
    return this.stop();
  }

  private async stopAll(): Promise<void> {
    const { source, stopWithinMs = 8_000 } = this.options;
    const all = Promise.all([source.stop(), ...this.loops.map((loop) => loop.stop())]);
    try {
      await within(stopWithinMs, all, `not everything ended within ${stopWithinMs} ms`);
    } catch (error) {
      this.log('warn', 'stopped without waiting any longer', { error });
    }
  }

  private consenting(): { consent?: (proposal: MergeProposedData) => Promise<void> } {
    const { store, handlers, participant } = this.options;
    if (handlers.onMergeProposed === undefined) return {};
    if (participant === undefined) throw new Error('onMergeProposed needs to know as which participant to answer');
    const options = {
      store,
      ask: handlers.onMergeProposed.bind(handlers),
      participant: participant.name,
      give: (answer: Acknowledgement) => this.give([answer]),
      log: this.log,
    };
    return { consent: (proposal) => answerProposal(proposal, options) };
  }

  private give(answers: readonly Acknowledgement[]): Promise<void> {
    const given = this.giving.then(() => this.options.source.answer(answers));
    // Whoever gave them hears of a failure; those behind are given all the same.
    this.giving = given.catch(() => undefined);
    return given;
  }

  private async giveAnswers(): Promise<'more' | 'idle'> {
    const { store, participant } = this.options;
    if (participant === undefined) return 'idle';
    const due = await store.transaction(({ book }) => book.answersDue(answersMax));
    if (due.length === 0) return 'idle';
    const done = { participant: participant.name, status: 'done' } as const;
    await this.give(due.map(({ kind, id }): Acknowledgement => ({ kind, id, ...done })));
    await store.transaction(async ({ book }) => {
      for (const answer of due) await book.answered(answer);
    });
    return 'more';
  }
}
