import { setTimeout as delay } from 'node:timers/promises';
import type { Database, KeptAppToken } from '#store';
import { claimAppToken, keepAppToken, leaveAppToken, readAppToken } from '#store';
import type { AppTokenSource, FetchAppToken } from '#wechat';
import { fetchInPlaceOf, usableMs, WechatError } from '#wechat';
import { v7 } from 'uuid';
import type { Sealer } from '../access/sealer.js';

/** Above the longest fetch: three tries of 5 s with pauses, and a forced one after them. */
const leaseSeconds = 30;
const waitedMs = 35_000;
const lookEveryMs = 50;

/**
 * One access token per app for all replicas, kept sealed in the database. Two replicas with tokens of their own kill each
 * other's (binarywang/WxJava #778, #2803): so one fetches at a time, under a lease, and the others wait for what it gets.
 */
export class SharedAppTokens implements AppTokenSource {
  /** Who waits in this process waits together: one look at the database for all of them. */
  private readonly underWay = new Map<string, Promise<string>>();

  constructor(
    private readonly database: Database,
    private readonly sealer: Sealer,
    private readonly fetchToken: FetchAppToken,
  ) {}

  async get(appId: string): Promise<string> {
    return (await this.usable(appId, null)).token ?? this.together(appId, null);
  }

  async refresh(appId: string, failedToken: string): Promise<string> {
    return (await this.usable(appId, failedToken)).token ?? this.together(appId, failedToken);
  }

  private together(appId: string, failedToken: string | null): Promise<string> {
    const key = `${appId} ${failedToken ?? ''}`;
    const underWay = this.underWay.get(key);
    if (underWay !== undefined) return underWay;
    const obtaining = this.obtain(appId, failedToken).finally(() => this.underWay.delete(key));
    this.underWay.set(key, obtaining);
    return obtaining;
  }

  private async obtain(appId: string, failedToken: string | null): Promise<string> {
    const owner = v7();
    const deadline = Date.now() + waitedMs;
    while (Date.now() < deadline) {
      const { token, version } = await this.usable(appId, failedToken);
      if (token !== null) return token;
      if (await claimAppToken(this.database, { appId, version, owner, leaseSeconds }))
        return this.replace(appId, failedToken, owner);
      await delay(lookEveryMs);
    }
    throw new WechatError({
      reaction: 'retry_later',
      errcode: null,
      rid: null,
      endpoint: '/cgi-bin/stable_token',
      appId,
      detail: 'another process is fetching the token of the app and did not end in time',
      sent: false,
    });
  }

  /** The kept token, if it may be used and is not the one that failed; and the version it has. */
  private async usable(appId: string, failedToken: string | null): Promise<{ token: string | null; version: number }> {
    const kept = await readAppToken(this.database, appId);
    const token = kept === null ? null : this.open(appId, kept);
    return { token: token === failedToken ? null : token, version: kept?.version ?? 0 };
  }

  private open(appId: string, { token, isUsable }: KeptAppToken): string | null {
    return token === null || !isUsable ? null : this.sealer.open(token, placeOf(appId)).toString();
  }

  private async replace(appId: string, failedToken: string | null, owner: string): Promise<string> {
    try {
      const token =
        failedToken === null
          ? await this.fetchToken(appId, { forceRefresh: false })
          : await fetchInPlaceOf(failedToken, appId, this.fetchToken);
      const sealed = this.sealer.seal(token.accessToken, placeOf(appId));
      await keepAppToken(this.database, { appId, owner, token: sealed, usableMs: usableMs(token) });
      return token.accessToken;
    } catch (error) {
      // Should this fail too, the lease ends by itself.
      await leaveAppToken(this.database, appId, owner).catch(() => undefined);
      throw error;
    }
  }
}

function placeOf(appId: string): string {
  return `app:${appId}:access-token`;
}
