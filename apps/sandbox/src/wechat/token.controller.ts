import { Body, Controller, Get, HttpCode, Inject, Post, Query } from '@nestjs/common';
import { openAppIdOf } from '../world/names.js';
import { objectBody, textOf } from './asked.js';
import type { Given } from './asked.js';
import { Desk } from './desk.js';
import { WechatRefusal } from './refusal.js';

/** The app's own token, on both lines, what is left of its quotas, and what the app is bound to. */
@Controller('cgi-bin')
export class TokenController {
  constructor(@Inject(Desk) private readonly desk: Desk) {}

  @Get('token')
  token(@Query() query: Given): object {
    if (textOf(query, 'grant_type') !== 'client_credential') throw new WechatRefusal(40002);
    const { appId } = this.desk.appBySecret(query);
    this.desk.count('/cgi-bin/token', appId);
    const { accessToken, expiresInSeconds } = this.desk.tokens.issue(appId);
    return { access_token: accessToken, expires_in: expiresInSeconds };
  }

  @Post('stable_token')
  @HttpCode(200)
  stableToken(@Body() body: unknown): object {
    const given = objectBody(body);
    if (textOf(given, 'grant_type') !== 'client_credential') throw new WechatRefusal(40002);
    const { appId } = this.desk.appBySecret(given);
    this.desk.count('/cgi-bin/stable_token', appId);
    const force = given['force_refresh'] === true;
    if (force) this.desk.countForcedRefresh(appId);
    const { accessToken, expiresInSeconds } = this.desk.tokens.stable(appId, force);
    return { access_token: accessToken, expires_in: expiresInSeconds };
  }

  @Post('openapi/quota/get')
  @HttpCode(200)
  quota(@Query() query: Given, @Body() body: unknown): object {
    const app = this.desk.appByToken(query);
    const quota = this.desk.quotaOf(textOf(objectBody(body), 'cgi_path') ?? '', app.appId);
    return { errcode: 0, errmsg: 'ok', quota };
  }

  @Post('clear_quota')
  @HttpCode(200)
  clearQuota(@Query() query: Given, @Body() body: unknown): object {
    const app = this.desk.appByToken(query);
    if (textOf(objectBody(body), 'appid') !== app.appId) throw new WechatRefusal(40013);
    return this.#clear(app.appId);
  }

  /** Works when the token call itself is used up. */
  @Post('clear_quota/v2')
  @HttpCode(200)
  clearQuotaBySecret(@Body() body: unknown): object {
    return this.#clear(this.desk.appBySecret(objectBody(body), 'appsecret').appId);
  }

  /** Which Open Platform account the app is bound to, as third-party platforms may ask. */
  @Post('open/get')
  @HttpCode(200)
  openPlatform(@Query() query: Given, @Body() body: unknown): object {
    const app = this.desk.appByToken(query);
    if (textOf(objectBody(body), 'appid') !== app.appId) throw new WechatRefusal(40013);
    if (app.openPlatform === null) throw new WechatRefusal(89002);
    return { errcode: 0, errmsg: 'ok', open_appid: openAppIdOf(app.openPlatform) };
  }

  /** Where pushes come from. */
  @Get('getcallbackip')
  addresses(@Query() query: Given): object {
    this.desk.appByToken(query);
    return { ip_list: ['127.0.0.1'] };
  }

  #clear(appId: string): object {
    this.desk.count('/cgi-bin/clear_quota', appId);
    this.desk.quotas.clear(appId);
    return { errcode: 0, errmsg: 'ok' };
  }
}
