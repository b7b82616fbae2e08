import { Refusal } from '#identity';

/** One second's allowance per key and process; 0: no limit. */
export class RateLimiter {
  private second = 0;
  private readonly taken = new Map<string, number>();

  constructor(private readonly perSecond: number) {}

  take(keyId: string): void {
    if (this.perSecond === 0) return;
    const second = Math.floor(Date.now() / 1000);
    if (second !== this.second) {
      this.second = second;
      this.taken.clear();
    }
    const taken = (this.taken.get(keyId) ?? 0) + 1;
    this.taken.set(keyId, taken);
    if (taken > this.perSecond)
      throw new Refusal('rate_limited', `this key may make ${this.perSecond} requests a second`, {
        retryAfterSeconds: 1,
      });
  }
}
