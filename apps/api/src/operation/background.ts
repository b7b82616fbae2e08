import type { OnApplicationShutdown } from '@nestjs/common';
import { Inject, Injectable } from '@nestjs/common';
import type { Logger } from 'pino';
import {
  AppReview,
  BindingWatch,
  Conflicts,
  FollowerLookups,
  Idempotency,
  ImportWorker,
  JournalSeals,
  LoginCodes,
  OverdueAnswers,
  PushWorker,
  Revocations,
  SigningKeys,
  SilentCases,
} from '#identity';
import { Metrics } from './metrics.js';

interface Task {
  readonly name: string;
  readonly everyMs: number;
  /** Answers how much it did. */
  readonly run: () => Promise<number>;
}

/** What nobody asks for and must happen all the same. Safe on any number of replicas; what fails is tried again. */
@Injectable()
export class Background implements OnApplicationShutdown {
  private readonly tasks: readonly Task[];
  private readonly timers = new Map<string, NodeJS.Timeout>();
  private readonly running = new Map<string, Promise<void>>();
  private stopped = false;

  constructor(
    review: AppReview,
    codes: LoginCodes,
    idempotency: Idempotency,
    signingKeys: SigningKeys,
    revocations: Revocations,
    private readonly pushes: PushWorker,
    private readonly lookups: FollowerLookups,
    private readonly seals: JournalSeals,
    private readonly bindings: BindingWatch,
    private readonly silent: SilentCases,
    overdue: OverdueAnswers,
    conflicts: Conflicts,
    metrics: Metrics,
    private readonly imports: ImportWorker,
    @Inject('logger') private readonly logger: Logger,
  ) {
    this.tasks = [
      // A declared rebind takes effect within seconds; an idle look costs one probe of an empty partial index.
      { name: 'review of declared bindings', everyMs: 500, run: () => review.run() },
      // Effects of a push are visible within five seconds in the ordinary case (contract).
      { name: 'handling of pushes', everyMs: 200, run: () => pushes.run() },
      { name: 'lookups of followers', everyMs: 1_000, run: () => lookups.run() },
      { name: 'rotation of signing keys', everyMs: 5_000, run: () => signingKeys.rotateByAge() },
      { name: 'sweep of signing keys', everyMs: 600_000, run: () => signingKeys.sweep() },
      { name: 'sweep of session revocations', everyMs: 600_000, run: () => revocations.sweep() },
      // Until it is sealed an entry could be changed unseen; an idle look costs one probe of an index.
      { name: 'sealing of the journal', everyMs: 1_000, run: () => seals.run() },
      { name: 'end of merges that nobody answered', everyMs: 1_000, run: () => silent.run() },
      { name: 'telling of overdue answers', everyMs: 1_000, run: () => overdue.tell() },
      {
        name: 'count of what waits for somebody',
        everyMs: 5_000,
        run: () => count(overdue, conflicts, pushes, metrics),
      },
      // It rests nineteen times as long as it looked.
      { name: 'watch of bindings', everyMs: 2_000, run: () => bindings.run() },
      { name: 'imports', everyMs: 250, run: () => imports.run() },
      { name: 'sweep of ended imports', everyMs: 10_000, run: () => imports.sweep() },
      { name: 'sweep of pushes', everyMs: 10_000, run: () => pushes.sweep() },
      { name: 'sweep of login codes', everyMs: 60_000, run: () => codes.sweep() },
      { name: 'sweep of idempotency keys', everyMs: 600_000, run: () => idempotency.sweep() },
    ];
  }

  /** Once the rules have what they need of the database. */
  start(): void {
    for (const task of this.tasks) this.schedule(task);
  }

  async onApplicationShutdown(): Promise<void> {
    this.stopped = true;
    for (const timer of this.timers.values()) clearTimeout(timer);
    await Promise.all(this.running.values());
    // The next replica need not wait for our leases.
    const stops = [
      this.pushes.stop(),
      this.lookups.stop(),
      this.seals.stop(),
      this.silent.stop(),
      this.bindings.stop(),
      this.imports.stop(),
    ];
    await Promise.all(stops.map((stopped) => stopped.catch(() => undefined)));
  }

  private schedule(task: Task): void {
    if (this.stopped) return;
    const timer = setTimeout(() => {
      const run = this.look(task).finally(() => this.schedule(task));
      this.running.set(task.name, run);
    }, task.everyMs);
    this.timers.set(task.name, timer);
  }

  private async look({ name, run }: Task): Promise<void> {
    try {
      const done = await run();
      if (done > 0) this.logger.debug({ done }, name);
    } catch (error) {
      this.logger.warn({ err: error }, `${name} will be tried again`);
    }
  }
}

async function count(
  overdue: OverdueAnswers,
  conflicts: Conflicts,
  pushes: PushWorker,
  metrics: Metrics,
): Promise<number> {
  metrics.overdueAcknowledgements.set(await overdue.count());
  metrics.openConflicts.set(await conflicts.countOpen());
  metrics.parkedPushes.set(await pushes.countParked());
  return 0;
}
