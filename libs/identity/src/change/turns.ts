import { Refusal } from '../problem.js';

/** More than this many waiting changes are answered 503 rather than kept waiting for longer than anyone listens. */
const waitingMax = 2_000;

/**
 * Whose turn it is inside this process, before a connection is taken: changes of the same user follow each other, and no
 * more than `atOnceMax` run together. Without it a hundred merges into one user take every connection of the pool only to
 * wait for one row, and everybody else times out behind them. Order across processes is the database's business.
 */
export class Turns {
  private readonly last = new Map<string, Promise<void>>();
  private readonly queue: (() => void)[] = [];
  private running = 0;
  private waiting = 0;

  constructor(private readonly atOnceMax: number) {}

  async take<T>(keys: readonly string[], work: () => Promise<T>): Promise<T> {
    if (this.waiting >= waitingMax) throw new Refusal('unavailable', 'too many changes are waiting');
    this.waiting += 1;
    const { done, release } = ending();
    // Every key's line is joined in the same step, so two changes are in the same order in all lines they share.
    const ahead = keys.flatMap((key) => this.last.get(key) ?? []);
    for (const key of keys) this.last.set(key, done);
    try {
      await Promise.all(ahead);
      await this.enter();
    } finally {
      this.waiting -= 1;
    }
    try {
      return await work();
    } finally {
      this.leave();
      release();
      for (const key of keys) if (this.last.get(key) === done) this.last.delete(key);
    }
  }

  private async enter(): Promise<void> {
    if (this.running >= this.atOnceMax) await new Promise<void>((resolve) => this.queue.push(resolve));
    else this.running += 1;
  }

  /** The place goes to the next in line without becoming free. */
  private leave(): void {
    const next = this.queue.shift();
    if (next === undefined) this.running -= 1;
    else next();
  }
}

function ending(): { done: Promise<void>; release: () => void } {
  let resolveDone: (() => void) | undefined;
  const done = new Promise<void>((resolve) => {
    resolveDone = resolve;
  });
  return { done, release: () => resolveDone?.() };
}
