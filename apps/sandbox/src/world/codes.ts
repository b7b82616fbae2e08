import { randomBytes } from 'node:crypto';
import type { Clock } from './clock.js';

/** Five minutes for mini programs and official accounts; websites and mobile apps have ten. */
const lifeMs = 5 * 60_000;
const longLifeMs = 10 * 60_000;
/** The oldest are forgotten above this: a sandbox may run for weeks under load. */
const codesMax = 200_000;

export type Scope = 'snsapi_base' | 'snsapi_userinfo' | 'snsapi_login';

export interface Login {
  readonly appId: string;
  readonly person: string;
  /** Null for a code of wx.login. */
  readonly scope: Scope | null;
  readonly isSnapshot: boolean;
  readonly sessionKey: string;
}

interface Code extends Login {
  readonly expiresAt: number;
  used: boolean;
}

export type Found = { readonly login: Login } | { readonly refusal: 'unknown' | 'used' };

/** Login codes: of one app, for one exchange. */
export class Codes {
  readonly #codes = new Map<string, Code>();
  readonly #sessionKeys = new Map<string, string>();
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Every login replaces the session_key, so what was encrypted before it can no longer be read. */
  issue(login: Omit<Login, 'sessionKey'>, life: 'short' | 'long'): { readonly code: string; readonly login: Login } {
    const sessionKey = randomBytes(16).toString('base64');
    const code = `0${randomBytes(24).toString('base64url')}`.slice(0, 32);
    const expiresAt = this.#clock.now() + (life === 'long' ? longLifeMs : lifeMs);
    this.#codes.set(code, { ...login, sessionKey, expiresAt, used: false });
    if (this.#codes.size > codesMax) this.#codes.delete(this.#codes.keys().next().value ?? '');
    if (login.scope === null) this.#sessionKeys.set(`${login.appId} ${login.person}`, sessionKey);
    return { code, login: { ...login, sessionKey } };
  }

  /** Looks without spending. A code of another app or of the other kind of login is as unknown as a made-up one. */
  find(code: string, appId: string, kind: 'session' | 'oauth'): Found {
    const found = this.#codes.get(code);
    const fits = found?.appId === appId && (found.scope === null) === (kind === 'session');
    if (found === undefined || !fits || this.#clock.now() >= found.expiresAt) return { refusal: 'unknown' };
    return found.used ? { refusal: 'used' } : { login: found };
  }

  spend(code: string): void {
    const found = this.#codes.get(code);
    if (found !== undefined) found.used = true;
  }

  /** A new session_key without a login; it dies when the old one would have. */
  resetSessionKey(appId: string, person: string): string {
    const sessionKey = randomBytes(16).toString('base64');
    this.#sessionKeys.set(`${appId} ${person}`, sessionKey);
    return sessionKey;
  }

  /** The session_key of the person's latest login. */
  sessionKeyOf(appId: string, person: string): string | undefined {
    return this.#sessionKeys.get(`${appId} ${person}`);
  }
}
