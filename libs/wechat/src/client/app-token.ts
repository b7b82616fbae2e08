/** An app's access token as WeChat handed it out. Up to 512 characters; lasts up to two hours, often less. */
export interface AppToken {
  readonly accessToken: string;
  readonly expiresInSeconds: number;
}

/** Asks WeChat (`stable_token`) for an app's token. Forcing kills the token before it: at most 20 a day, 30 s apart. */
export type FetchAppToken = (appId: string, options: { readonly forceRefresh: boolean }) => Promise<AppToken>;

/**
 * Where the app's access token is kept. One token is shared by every replica, and one of them fetches it at a time;
 * an implementation over a database does both with a row lock.
 */
export interface AppTokenSource {
  /** The token in use, fetched if there is none or it is about to expire. */
  get(appId: string): Promise<string>;
  /**
   * Compare and set: the token in use if it is no longer the failed one, because somebody else was faster; otherwise a
   * new one.
   */
  refresh(appId: string, failedToken: string): Promise<string>;
}

/** A token is not used in its last five minutes: WeChat rolls stable tokens then. */
const reserveMs = 5 * 60_000;
const lifeMinMs = 10_000;

/** How long a token may be used. Never assume two hours: `stable_token` answers what is left. */
export function usableMs(token: AppToken): number {
  return Math.max(token.expiresInSeconds * 1000 - reserveMs, lifeMinMs);
}

/**
 * A token in place of one that failed. Asks politely first, because WeChat may have rolled it already; forces only when
 * the answer is the very token that failed.
 */
export async function fetchInPlaceOf(failedToken: string, appId: string, fetchToken: FetchAppToken): Promise<AppToken> {
  const token = await fetchToken(appId, { forceRefresh: false });
  return token.accessToken === failedToken ? fetchToken(appId, { forceRefresh: true }) : token;
}

interface KeptToken {
  readonly accessToken: string;
  readonly usableUntil: number;
}

/** Keeps tokens in this process: enough for one replica, and for tests. */
export class MemoryAppTokenSource implements AppTokenSource {
  readonly #kept = new Map<string, KeptToken>();
  readonly #underWay = new Map<string, Promise<string>>();
  readonly #fetchToken: FetchAppToken;
  readonly #now: () => number;

  constructor(fetchToken: FetchAppToken, now: () => number = Date.now) {
    this.#fetchToken = fetchToken;
    this.#now = now;
  }

  async get(appId: string): Promise<string> {
    const kept = this.#kept.get(appId);
    if (kept !== undefined && this.#now() < kept.usableUntil) return kept.accessToken;
    return this.#once(appId, () => this.#fetchToken(appId, { forceRefresh: false }));
  }

  async refresh(appId: string, failedToken: string): Promise<string> {
    const kept = this.#kept.get(appId);
    if (kept !== undefined && kept.accessToken !== failedToken) return this.get(appId);
    return this.#once(appId, () => fetchInPlaceOf(failedToken, appId, this.#fetchToken));
  }

  /** One fetch per app at a time; who comes meanwhile waits for the same one. */
  async #once(appId: string, fetchToken: () => Promise<AppToken>): Promise<string> {
    const underWay = this.#underWay.get(appId);
    if (underWay !== undefined) return underWay;
    const fetching = fetchToken()
      .then((token) => {
        this.#kept.set(appId, { accessToken: token.accessToken, usableUntil: this.#now() + usableMs(token) });
        return token.accessToken;
      })
      .finally(() => this.#underWay.delete(appId));
    this.#underWay.set(appId, fetching);
    return fetching;
  }
}
