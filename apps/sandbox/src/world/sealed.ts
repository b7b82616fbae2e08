import { createHash } from 'node:crypto';
import type { Clock } from './clock.js';

const provableSeconds = 3 * 24 * 3600;
const sealedMax = 100_000;

/** Which encryptedData WeChat made, for three days. */
export class Sealed {
  readonly #madeAt = new Map<string, number>();
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  keep(appId: string, encryptedData: string): void {
    const hash = createHash('sha256').update(encryptedData).digest('hex');
    this.#madeAt.set(`${appId} ${hash}`, this.#clock.seconds());
    if (this.#madeAt.size > sealedMax) this.#madeAt.delete(this.#madeAt.keys().next().value ?? '');
  }

  /** Unix seconds, or null where WeChat made no such thing for this app. */
  madeAt(appId: string, hash: string): number | null {
    const seconds = this.#madeAt.get(`${appId} ${hash}`);
    return seconds !== undefined && this.#clock.seconds() - seconds <= provableSeconds ? seconds : null;
  }
}
