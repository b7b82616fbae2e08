import { randomBytes } from 'node:crypto';
import type { Clock } from './clock.js';

const lifeMs = 7200_000;
/** The token before the newest of /token lives on so long; stable_token rolls so long before the end. */
const overlapMs = 5 * 60_000;
/** 30 days; WeChat's page for mobile apps says 180. */
const refreshLifeMs = 30 * 24 * 3600_000;
const tokensMax = 200_000;

export interface UserGrant {
  readonly appId: string;
  readonly openId: string;
  readonly person: string;
  readonly scope: string;
  readonly isSnapshot: boolean;
}

type Line = 'token' | 'stable_token';

interface Token {
  readonly appId: string;
  expiresAt: number;
  /** Killed by a newer one: not expired, but no longer known. */
  dead: boolean;
}

export type TokenFound<T> = { readonly value: T } | { readonly refusal: 'unknown' | 'expired' };

/** Access tokens of apps, on WeChat's two lines that do not disturb each other, and of people. */
export class Tokens {
  readonly #tokens = new Map<string, Token>();
  readonly #newest = new Map<string, string>();
  readonly #grants = new Map<string, { readonly grant: UserGrant; readonly expiresAt: number }>();
  readonly #refreshTokens = new Map<string, { readonly grant: UserGrant; readonly expiresAt: number }>();
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** /token: a new one each time; the one before it dies after five minutes. */
  issue(appId: string): { readonly accessToken: string; readonly expiresInSeconds: number } {
    const before = this.#tokens.get(this.#newest.get(`token ${appId}`) ?? '');
    if (before !== undefined) before.expiresAt = Math.min(before.expiresAt, this.#clock.now() + overlapMs);
    return this.#make(appId, 'token');
  }

  /** /stable_token: the same one until five minutes before its end; forced, a new one, and the old is dead at once. */
  stable(appId: string, force: boolean): { readonly accessToken: string; readonly expiresInSeconds: number } {
    const accessToken = this.#newest.get(`stable_token ${appId}`) ?? '';
    const token = this.#tokens.get(accessToken);
    const now = this.#clock.now();
    if (token !== undefined && force) token.dead = true;
    if (token === undefined || token.dead || now >= token.expiresAt - overlapMs)
      return this.#make(appId, 'stable_token');
    return { accessToken, expiresInSeconds: Math.floor((token.expiresAt - now) / 1000) };
  }

  #make(appId: string, line: Line): { readonly accessToken: string; readonly expiresInSeconds: number } {
    const accessToken = `${line === 'token' ? '6' : '7'}_${randomBytes(96).toString('base64url')}`;
    this.#tokens.set(accessToken, { appId, expiresAt: this.#clock.now() + lifeMs, dead: false });
    forgetOldest(this.#tokens);
    this.#newest.set(`${line} ${appId}`, accessToken);
    return { accessToken, expiresInSeconds: lifeMs / 1000 };
  }

  appOf(accessToken: string): TokenFound<string> {
    const token = this.#tokens.get(accessToken);
    if (token === undefined || token.dead) return { refusal: 'unknown' };
    return this.#clock.now() < token.expiresAt ? { value: token.appId } : { refusal: 'expired' };
  }

  grant(grant: UserGrant): { readonly accessToken: string; readonly refreshToken: string } {
    const accessToken = `8_${randomBytes(48).toString('base64url')}`;
    const refreshToken = `9_${randomBytes(48).toString('base64url')}`;
    this.#grants.set(accessToken, { grant, expiresAt: this.#clock.now() + lifeMs });
    this.#refreshTokens.set(refreshToken, { grant, expiresAt: this.#clock.now() + refreshLifeMs });
    forgetOldest(this.#grants);
    forgetOldest(this.#refreshTokens);
    return { accessToken, refreshToken };
  }

  grantOf(accessToken: string): TokenFound<UserGrant> {
    return this.#live(this.#grants.get(accessToken));
  }

  grantByRefreshToken(refreshToken: string): TokenFound<UserGrant> {
    return this.#live(this.#refreshTokens.get(refreshToken));
  }

  #live(found: { readonly grant: UserGrant; readonly expiresAt: number } | undefined): TokenFound<UserGrant> {
    if (found === undefined) return { refusal: 'unknown' };
    return this.#clock.now() < found.expiresAt ? { value: found.grant } : { refusal: 'expired' };
  }
}

function forgetOldest(kept: Map<string, unknown>): void {
  if (kept.size > tokensMax) kept.delete(kept.keys().next().value ?? '');
}
