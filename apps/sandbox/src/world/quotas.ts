import type { Clock } from './clock.js';

const minuteMs = 60_000;
const dayMs = 24 * 60 * minuteMs;
const beijingOffsetMs = 8 * 60 * minuteMs;

interface Limit {
  readonly per: 'minute' | 'day' | 'month';
  readonly max: number;
}

/** WeChat's documented limits, by path. jscode2session counts each person by themselves. */
export const limits: Readonly<Record<string, Limit>> = {
  '/sns/jscode2session': { per: 'minute', max: 100 },
  '/sns/oauth2/access_token': { per: 'minute', max: 50_000 },
  '/sns/userinfo': { per: 'minute', max: 50_000 },
  '/cgi-bin/token': { per: 'day', max: 2000 },
  '/cgi-bin/stable_token': { per: 'minute', max: 10_000 },
  '/cgi-bin/stable_token#forced': { per: 'day', max: 20 },
  '/cgi-bin/user/get': { per: 'day', max: 500 },
  '/cgi-bin/user/info': { per: 'day', max: 5_000_000 },
  '/cgi-bin/user/info/batchget': { per: 'day', max: 5_000_000 },
  '/cgi-bin/changeopenid': { per: 'day', max: 100_000 },
  '/wxa/getpaidunionid': { per: 'day', max: 5_000_000 },
  '/wxa/resetusersessionkey': { per: 'minute', max: 60_000 },
  '/wxa/checksession': { per: 'day', max: 5_000_000 },
  '/cgi-bin/clear_quota': { per: 'month', max: 10 },
};

/** Counts calls in WeChat's windows: whole minutes, and days and months of Beijing. */
export class Quotas {
  readonly #counts = new Map<string, { window: string; used: number }>();
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Null if the call may be made, else the kind of limit it met. */
  take(path: string, appId: string, person = ''): Limit['per'] | null {
    const limit = limits[path];
    if (limit === undefined) return null;
    const count = this.#count(path, appId, person);
    if (count.used >= limit.max) return limit.per;
    count.used += 1;
    return null;
  }

  used(path: string, appId: string): number {
    return this.#count(path, appId, '').used;
  }

  /** As if `used` calls had been made today. */
  set(path: string, appId: string, used: number): void {
    this.#count(path, appId, '').used = used;
  }

  /** clear_quota: all of the app's counters, but not its own. */
  clear(appId: string): void {
    for (const [key, count] of this.#counts) {
      const [path, owner] = JSON.parse(key) as [string, string, string];
      if (owner === appId && path !== '/cgi-bin/clear_quota') count.used = 0;
    }
  }

  #count(path: string, appId: string, person: string): { window: string; used: number } {
    const key = JSON.stringify([path, appId, person]);
    const window = this.#window(limits[path]?.per ?? 'day');
    const found = this.#counts.get(key);
    if (found?.window === window) return found;
    const fresh = { window, used: 0 };
    this.#counts.set(key, fresh);
    return fresh;
  }

  #window(per: Limit['per']): string {
    const now = this.#clock.now();
    if (per === 'minute') return String(Math.floor(now / minuteMs));
    const beijing = now + beijingOffsetMs;
    return per === 'day' ? String(Math.floor(beijing / dayMs)) : new Date(beijing).toISOString().slice(0, 7);
  }
}
