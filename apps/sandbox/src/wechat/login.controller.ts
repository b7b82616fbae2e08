import { Controller, Get, Inject, Query } from '@nestjs/common';
import { snapshotOpenIdOf, snapshotUnionIdOf } from '../world/names.js';
import type { UserGrant } from '../world/tokens.js';
import { textOf } from './asked.js';
import type { Given } from './asked.js';
import { Desk } from './desk.js';
import { WechatRefusal } from './refusal.js';

const tokenSeconds = 7200;

/** /sns: who stands behind a code or a user token. */
@Controller()
export class LoginController {
  constructor(@Inject(Desk) private readonly desk: Desk) {}

  @Get('sns/jscode2session')
  code2session(@Query() query: Given): object {
    const app = this.desk.appBySecret(query);
    if (textOf(query, 'grant_type') !== 'authorization_code') throw new WechatRefusal(40002);
    const login = this.desk.redeem(app, textOf(query, 'js_code'), 'session');
    const unionid = this.desk.world.unionIdIn(app, login.person);
    return { session_key: login.sessionKey, openid: this.desk.world.meet(app, login.person), unionid };
  }

  @Get('sns/oauth2/access_token')
  oauthAccessToken(@Query() query: Given): object {
    const app = this.desk.appBySecret(query);
    if (textOf(query, 'grant_type') !== 'authorization_code') throw new WechatRefusal(40002);
    // Web login is for verified service accounts only.
    if (app.kind === 'service_account' && !app.verified) throw new WechatRefusal(48001);
    const { person, scope, isSnapshot } = this.desk.redeem(app, textOf(query, 'code'), 'oauth');
    const openId = isSnapshot ? snapshotOpenIdOf(app.appId, person) : this.desk.world.meet(app, person);
    return this.#granted({ appId: app.appId, openId, person, scope: scope ?? 'snsapi_base', isSnapshot });
  }

  @Get('sns/oauth2/refresh_token')
  refreshToken(@Query() query: Given): object {
    const found = this.desk.tokens.grantByRefreshToken(textOf(query, 'refresh_token') ?? '');
    if ('refusal' in found) throw new WechatRefusal(found.refusal === 'expired' ? 42002 : 40030);
    if (found.value.appId !== textOf(query, 'appid')) throw new WechatRefusal(40030);
    return this.#granted(found.value);
  }

  @Get('sns/userinfo')
  userInfo(@Query() query: Given): object {
    const grant = this.desk.grantByToken(query);
    this.desk.count('/sns/userinfo', grant.appId);
    if (textOf(query, 'openid') !== grant.openId) throw new WechatRefusal(40003);
    if (grant.scope === 'snsapi_base' || grant.isSnapshot) throw new WechatRefusal(48001);
    return {
      openid: grant.openId,
      nickname: '微信用户',
      sex: 0,
      language: '',
      city: '',
      province: '',
      country: '',
      headimgurl: '',
      privilege: [],
      unionid: this.#unionIdFor(grant),
    };
  }

  @Get('sns/auth')
  isTokenGood(@Query() query: Given): object {
    const grant = this.desk.grantByToken(query);
    if (textOf(query, 'openid') !== grant.openId) throw new WechatRefusal(40003);
    return { errcode: 0, errmsg: 'ok' };
  }

  #granted(grant: UserGrant): object {
    const { accessToken, refreshToken } = this.desk.tokens.grant(grant);
    return {
      access_token: accessToken,
      expires_in: tokenSeconds,
      refresh_token: refreshToken,
      openid: grant.openId,
      scope: grant.scope,
      // Only here: sns/userinfo does not say that somebody is made up.
      is_snapshotuser: grant.isSnapshot ? 1 : undefined,
      unionid: this.#unionIdFor(grant),
    };
  }

  /** Officially never for snsapi_base. */
  #unionIdFor(grant: UserGrant): string | undefined {
    const app = this.desk.world.apps.get(grant.appId);
    if (app === undefined || app.openPlatform === null || grant.scope === 'snsapi_base') return undefined;
    if (grant.isSnapshot) return snapshotUnionIdOf(app.openPlatform);
    return this.desk.world.unionIdIn(app, grant.person);
  }
}
