import { setTimeout as pause } from 'node:timers/promises';
import type { Log } from './log.js';

export interface LoopOptions {
  readonly name: string;
  readonly log: Log;
  /** Between two turns when there is nothing to do. */
  readonly idleMs: number;
  /** Failures wait twice as long each time, up to this. */
  readonly failureMaxMs?: number;
}

/** Does something again and again until it is stopped. Stopping waits for the turn that is under way. */
export class Loop {
  /** Of the last turn; null while all is well. */
  failure: Error | null = null;
  /** When the last turn ended, in milliseconds of the monotonic clock. */
  turnedAt = performance.now();
  private readonly stopping = new AbortController();
  private running: Promise<void> | null = null;

  constructor(
    private readonly turn: (signal: AbortSignal) => Promise<'more' | 'idle'>,
    private readonly options: LoopOptions,
  ) {}

  start(): void {
    this.running ??= this.run();
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    await this.running;
  }

  private async run(): Promise<void> {
    const { name, log, idleMs, failureMaxMs = 15_000 } = this.options;
    const { signal } = this.stopping;
    let failures = 0;
    while (!signal.aborted) {
      let waitMs = 0;
      try {
        if ((await this.turn(signal)) === 'idle') waitMs = idleMs;
        failures = 0;
        this.failure = null;
      } catch (error) {
        if (signal.aborted) break;
        failures += 1;
        this.failure = error instanceof Error ? error : new Error(String(error));
        waitMs = Math.min(failureMaxMs, 250 * 2 ** Math.min(failures, 10));
        log('warn', `${name} failed and is tried again`, { error, waitMs });
      }
      this.turnedAt = performance.now();
      // Ended early by stop(), which is no failure.
      if (waitMs > 0) await pause(waitMs, undefined, { signal }).catch(() => undefined);
    }
  }
}
