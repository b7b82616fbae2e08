import { Body, Controller, Get, HttpCode, Inject, Post, Query } from '@nestjs/common';
import type { App } from '../world/world.js';
import { openIdOf } from '../world/names.js';
import { objectBody, textOf } from './asked.js';
import type { Given } from './asked.js';
import { Desk } from './desk.js';
import { WechatRefusal } from './refusal.js';

const pageMax = 10_000;
const batchMax = 100;
/** changeopenid answers until so long after the transfer. */
const migrationMs = 15 * 24 * 3600_000;

/** An official account's followers, payments of a mini program, and transfers of accounts. */
@Controller()
export class FollowersController {
  constructor(@Inject(Desk) private readonly desk: Desk) {}

  @Get('cgi-bin/user/get')
  page(@Query() query: Given): object {
    const app = this.#officialAccount(query);
    this.desk.count('/cgi-bin/user/get', app.appId);
    // In order of openId: a cursor stays good when the person it names has left meanwhile.
    const openIds = [...app.followers.keys()].map((person) => openIdOf(app.appId, person)).toSorted();
    const after = textOf(query, 'next_openid');
    if (after !== undefined && !app.people.has(after)) throw new WechatRefusal(40003);
    const page = (after === undefined ? openIds : openIds.filter((openId) => openId > after)).slice(0, pageMax);
    const shown = { total: openIds.length, count: page.length };
    // WeChat leaves data out where there is nothing, and names a next openid on the last page too.
    return page.length === 0
      ? { ...shown, next_openid: '' }
      : { ...shown, data: { openid: page }, next_openid: page.at(-1) };
  }

  @Get('cgi-bin/user/info')
  info(@Query() query: Given): object {
    const app = this.#officialAccount(query);
    this.desk.count('/cgi-bin/user/info', app.appId);
    return this.#describe(app, textOf(query, 'openid'));
  }

  @Post('cgi-bin/user/info/batchget')
  @HttpCode(200)
  batch(@Query() query: Given, @Body() body: unknown): object {
    const app = this.#officialAccount(query);
    this.desk.count('/cgi-bin/user/info/batchget', app.appId);
    const list = objectBody(body)['user_list'];
    if (!Array.isArray(list) || list.length === 0) throw new WechatRefusal(40097);
    if (list.length > batchMax) throw new WechatRefusal(40032);
    return { user_info_list: list.map((item: unknown) => this.#describe(app, textOf(objectBody(item), 'openid'))) };
  }

  @Post('cgi-bin/changeopenid')
  @HttpCode(200)
  change(@Query() query: Given, @Body() body: unknown): object {
    const app = this.#officialAccount(query);
    this.desk.count('/cgi-bin/changeopenid', app.appId);
    const { from_appid: from, openid_list: list } = objectBody(body);
    if (Array.isArray(list) && list.length === 0) throw new WechatRefusal(63182);
    if (!Array.isArray(list) || list.length > batchMax) throw new WechatRefusal(63183);
    const source = this.desk.world.apps.get(String(from)) ?? this.desk.world.appByOriginalId(String(from));
    const migration = this.desk.world.migrations.find(
      ({ fromAppId, toAppId, approvedAt }) =>
        fromAppId === source?.appId && toAppId === app.appId && this.desk.clock.now() < approvedAt + migrationMs,
    );
    if (source === undefined || migration === undefined) throw new WechatRefusal(63178);
    const results = list.map((openId: unknown) => {
      const person = source.people.get(String(openId));
      if (person === undefined || !migration.followers.has(person)) {
        return { ori_openid: openId, err_msg: 'ori_openid error' };
      }
      return { ori_openid: openId, new_openid: this.desk.world.meet(app, person), err_msg: 'ok' };
    });
    return { errcode: 0, errmsg: 'ok', result_list: results };
  }

  @Get('wxa/getpaidunionid')
  paidUnionId(@Query() query: Given): object {
    const app = this.desk.appByToken(query);
    this.desk.count('/wxa/getpaidunionid', app.appId);
    // Not for mini games, whose payments go another way.
    if (app.kind !== 'mini_program') throw new WechatRefusal(48001);
    const person = this.desk.personBehind(app, textOf(query, 'openid'));
    if (app.openPlatform === null) throw new WechatRefusal(89002);
    const [transactionId, mchId, outTradeNo] = ['transaction_id', 'mch_id', 'out_trade_no'].map((name) =>
      textOf(query, name),
    );
    const named = {
      ...(transactionId !== undefined && { transactionId }),
      ...(mchId !== undefined && { mchId }),
      ...(outTradeNo !== undefined && { outTradeNo }),
    };
    if (this.desk.orders.find(app.appId, named)?.person !== person) throw new WechatRefusal(89300);
    return { unionid: this.desk.world.unionIdIn(app, person), errcode: 0, errmsg: 'ok' };
  }

  #officialAccount(query: Given): App {
    const app = this.desk.appByToken(query);
    const isOfficial = app.kind === 'service_account' || app.kind === 'subscription_account';
    if (!isOfficial || !app.verified) throw new WechatRefusal(48001);
    return app;
  }

  /** Whoever does not follow is only a number: no unionId, no time, no scene. */
  #describe(app: App, openId: string | undefined): object {
    const person = this.desk.personBehind(app, openId);
    const followedAt = app.followers.get(person);
    const isTooEarly = this.desk.clock.now() < (app.lookedUpTooEarly.get(person) ?? 0);
    if (followedAt === undefined || isTooEarly) return { subscribe: 0, openid: openId };
    const isMigrated = this.desk.world.migrations.some(
      ({ toAppId, followers }) => toAppId === app.appId && followers.has(person),
    );
    return {
      subscribe: 1,
      openid: openId,
      nickname: '',
      sex: 0,
      language: 'zh_CN',
      city: '',
      province: '',
      country: '',
      headimgurl: '',
      subscribe_time: followedAt,
      unionid: this.desk.world.unionIdIn(app, person),
      remark: '',
      groupid: 0,
      tagid_list: [],
      subscribe_scene: isMigrated ? 'ADD_SCENE_ACCOUNT_MIGRATION' : 'ADD_SCENE_SEARCH',
      qr_scene: 0,
      qr_scene_str: '',
    };
  }
}
