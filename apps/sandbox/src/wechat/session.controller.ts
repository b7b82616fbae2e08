import { Body, Controller, Get, HttpCode, Inject, Post, Query } from '@nestjs/common';
import { signWithSession } from '#wechat';
import type { App } from '../world/world.js';
import { objectBody, textOf } from './asked.js';
import type { Given } from './asked.js';
import { Desk } from './desk.js';
import { WechatRefusal } from './refusal.js';

/** /wxa: whether a session_key is the current one, and whether WeChat made an encryptedData. */
@Controller('wxa')
export class SessionController {
  constructor(@Inject(Desk) private readonly desk: Desk) {}

  @Get('checksession')
  check(@Query() query: Given): object {
    this.#sessionOwner(query, '/wxa/checksession');
    return { errcode: 0, errmsg: 'ok' };
  }

  @Get('resetusersessionkey')
  reset(@Query() query: Given): object {
    const { app, person } = this.#sessionOwner(query, '/wxa/resetusersessionkey');
    const sessionKey = this.desk.codes.resetSessionKey(app.appId, person);
    return { errcode: 0, errmsg: 'ok', openid: textOf(query, 'openid'), session_key: sessionKey };
  }

  /** `vaild` is how WeChat spells it. */
  @Post('business/checkencryptedmsg')
  @HttpCode(200)
  checkEncrypted(@Query() query: Given, @Body() body: unknown): object {
    const app = this.desk.appByToken(query);
    const hash = textOf(objectBody(body), 'encrypted_msg_hash');
    if (hash === undefined) throw new WechatRefusal(40097);
    const seconds = this.desk.sealed.madeAt(app.appId, hash.toLowerCase());
    return { errcode: 0, errmsg: 'ok', vaild: seconds !== null, create_time: seconds ?? 0 };
  }

  #sessionOwner(query: Given, path: string): { app: App; person: string } {
    const app = this.desk.appByToken(query);
    this.desk.count(path, app.appId);
    const person = this.desk.personBehind(app, textOf(query, 'openid'));
    if (textOf(query, 'sig_method') !== 'hmac_sha256') throw new WechatRefusal(87008);
    const sessionKey = this.desk.codes.sessionKeyOf(app.appId, person);
    if (sessionKey === undefined) throw new WechatRefusal(87007);
    if (textOf(query, 'signature') !== signWithSession('', sessionKey)) throw new WechatRefusal(87009);
    return { app, person };
  }
}
