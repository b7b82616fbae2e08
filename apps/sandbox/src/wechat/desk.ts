import { Injectable } from '@nestjs/common';
import { Clock } from '../world/clock.js';
import { Codes } from '../world/codes.js';
import type { Login } from '../world/codes.js';
import { Journal } from '../world/journal.js';
import { Orders } from '../world/orders.js';
import { limits, Quotas } from '../world/quotas.js';
import { Sealed } from '../world/sealed.js';
import { Tokens } from '../world/tokens.js';
import type { UserGrant } from '../world/tokens.js';
import { World } from '../world/world.js';
import type { App } from '../world/world.js';
import { textOf } from './asked.js';
import type { Given } from './asked.js';
import { WechatRefusal } from './refusal.js';

/** Forced refreshes of stable_token keep this distance. */
const forcedDistanceMs = 30_000;

/** Everything WeChat holds, and the checks every endpoint makes at its door. */
@Injectable()
export class Desk {
  readonly clock = new Clock();
  readonly world = new World();
  readonly codes = new Codes(this.clock);
  readonly tokens = new Tokens(this.clock);
  readonly quotas = new Quotas(this.clock);
  readonly orders = new Orders(this.clock);
  readonly sealed = new Sealed(this.clock);
  readonly journal = new Journal();
  readonly #forcedAt = new Map<string, number>();

  /** The app that names itself with appid and secret. */
  appBySecret(given: Given, secretName = 'secret'): App {
    const appId = textOf(given, 'appid');
    if (appId === undefined) throw new WechatRefusal(41002);
    const app = this.world.apps.get(appId);
    if (app === undefined) throw new WechatRefusal(40013);
    const secret = textOf(given, secretName);
    if (secret === undefined) throw new WechatRefusal(41004);
    if (app.secret !== null && app.secret !== secret) throw new WechatRefusal(40125);
    return app;
  }

  /** The app whose access token this is. */
  appByToken(query: Given): App {
    const accessToken = textOf(query, 'access_token');
    if (accessToken === undefined) throw new WechatRefusal(41001);
    const found = this.tokens.appOf(accessToken);
    if ('refusal' in found) throw new WechatRefusal(found.refusal === 'expired' ? 42001 : 40001);
    const app = this.world.apps.get(found.value);
    if (app === undefined) throw new WechatRefusal(40013);
    return app;
  }

  grantByToken(query: Given): UserGrant {
    const accessToken = textOf(query, 'access_token');
    if (accessToken === undefined) throw new WechatRefusal(41001);
    const found = this.tokens.grantOf(accessToken);
    if ('refusal' in found) throw new WechatRefusal(found.refusal === 'expired' ? 42001 : 40001);
    return found.value;
  }

  /** Spends the code, unless it is not to be had or its person has asked too often. */
  redeem(app: App, code: string | undefined, kind: 'session' | 'oauth'): Login {
    if (code === undefined) throw new WechatRefusal(41008);
    const found = this.codes.find(code, app.appId, kind);
    if ('refusal' in found) throw new WechatRefusal(found.refusal === 'used' ? 40163 : 40029);
    if (kind === 'session') this.count('/sns/jscode2session', app.appId, found.login.person);
    else this.count('/sns/oauth2/access_token', app.appId);
    this.codes.spend(code);
    return found.login;
  }

  /** The person behind an openId of this app; one of another app is 40003. */
  personBehind(app: App, openId: string | undefined): string {
    const person = openId === undefined ? undefined : app.people.get(openId);
    if (person === undefined) throw new WechatRefusal(40003);
    return person;
  }

  count(path: string, appId: string, person?: string): void {
    const met = this.quotas.take(path, appId, person);
    if (met === null) return;
    if (met === 'month') throw new WechatRefusal(48006);
    throw new WechatRefusal(met === 'minute' ? 45011 : 45009);
  }

  countForcedRefresh(appId: string): void {
    const now = this.clock.now();
    if (now - (this.#forcedAt.get(appId) ?? 0) < forcedDistanceMs) throw new WechatRefusal(45011);
    this.count('/cgi-bin/stable_token#forced', appId);
    this.#forcedAt.set(appId, now);
  }

  /** What quota/get says about a path. */
  quotaOf(path: string, appId: string): { daily_limit: number; used: number; remain: number } {
    const limit = limits[path];
    if (limit === undefined || path.includes('#')) throw new WechatRefusal(76021);
    const used = this.quotas.used(path, appId);
    return { daily_limit: limit.max, used, remain: Math.max(limit.max - used, 0) };
  }
}
