/** The sandbox's time: the machine's, moved forward on demand, so that codes and quotas expire without waiting. */
export class Clock {
  #aheadMs = 0;

  now(): number {
    return Date.now() + this.#aheadMs;
  }

  seconds(): number {
    return Math.floor(this.now() / 1000);
  }

  advance(milliseconds: number): void {
    this.#aheadMs += milliseconds;
  }
}
