import { constants } from 'node:os';
import type { Child } from './child.js';
import { Refusal } from './machine.js';

type Signal = 'SIGINT' | 'SIGTERM' | 'SIGHUP';

/** Somebody asked us to stop: Ctrl-C, a supervisor, a closed terminal. */
export class Interrupted extends Refusal {
  constructor(readonly signal: Signal) {
    super(`stopped by ${signal}`);
  }

  /** As a shell reports it. */
  get exitCode(): number {
    return 128 + constants.signals[this.signal];
  }
}

export interface Stoppable {
  stop(): Promise<unknown>;
}

/**
 * What a tool has started and must stop again, last first, whatever happens: an error, a signal, a part that dies, or a
 * signal that arrives while something is still starting.
 */
export class Parts {
  readonly #undo: (() => Promise<unknown>)[] = [];
  #isClosed = false;
  #fail: (reason: Error) => void = () => undefined;
  /** Never resolves; rejects when a part that must live has died. */
  readonly failure = new Promise<never>((_, reject) => {
    this.#fail = reject;
  });

  constructor() {
    // Whoever races against it hears of it; nobody else has to.
    this.failure.catch(() => undefined);
  }

  /** Starts something and remembers to stop it, even if it is asked to stop before it has started. */
  async start<T extends Stoppable>(begin: () => Promise<T>): Promise<T> {
    if (this.#isClosed) throw new Refusal('everything is being stopped; nothing more is started');
    const starting = begin();
    this.atEnd(async () => {
      const started = await starting.catch(() => undefined);
      await started?.stop();
    });
    return starting;
  }

  atEnd(step: () => Promise<unknown>): void {
    this.#undo.push(step);
  }

  /** From now on the end of this process is the end of everything. */
  watch(child: Child): void {
    void this.#watch(child);
  }

  async #watch(child: Child): Promise<void> {
    await child.exited;
    if (!this.#isClosed) this.#fail(new Refusal(child.describeEnding()));
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    const failures: unknown[] = [];
    for (let step = this.#undo.pop(); step !== undefined; step = this.#undo.pop()) {
      try {
        await step();
      } catch (error) {
        // One part that will not stop must not keep the others running.
        failures.push(error);
      }
    }
    if (failures.length > 0) throw new AggregateError(failures, 'Some parts could not be stopped cleanly');
  }
}

/** Works with parts until the work is done, a part dies or a signal comes; then stops them all and passes the outcome on. */
export async function withParts<T>(work: (parts: Parts) => Promise<T>): Promise<T> {
  const parts = new Parts();
  const interrupted = interruption();
  const working = work(parts);
  // If it loses the race it may still fail over the parts that are being stopped; that is no news.
  working.catch(() => undefined);
  try {
    return await Promise.race([working, parts.failure, interrupted]);
  } finally {
    await parts.close();
  }
}

/** The handlers stay: a second Ctrl-C must not cut the stopping short. */
function interruption(): Promise<never> {
  return new Promise((_, reject) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.on(signal, () => reject(new Interrupted(signal)));
    }
  });
}
