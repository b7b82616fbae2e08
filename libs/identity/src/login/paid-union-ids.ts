import { Injectable } from '@nestjs/common';
import type { PaidOrder } from '#wechat';
import { WechatClient, WechatError } from '#wechat';
import { Refusal } from '../problem.js';
import { Registry } from '../registry/registry.js';
import type { ResolveResult } from '../resolve/resolve-one.js';
import type { Asker } from '../resolve/resolver.js';
import { Resolver } from '../resolve/resolver.js';
import { refusalOf } from './wechat-refusal.js';

/** Somebody who paid in a mini program: for five minutes WeChat tells the back end who that was (WeChat facts 2.4). */
@Injectable()
export class PaidUnionIds {
  constructor(
    private readonly wechat: WechatClient,
    private readonly registry: Registry,
    private readonly resolver: Resolver,
  ) {}

  /** Asks WeChat with no transaction open, and resolves what it says. The openId is only an input: 40003 refuses a foreign one. */
  async learn(appId: string, openId: string, order: PaidOrder, asker: Asker): Promise<ResolveResult> {
    const { kind } = await this.registry.credentials(appId, asker.entityId);
    // WeChat does not offer the call to mini games, and no other kind has payments inside an app.
    if (kind !== 'mini_program')
      throw new Refusal('wrong_app_kind', `WeChat tells the payer's unionId to mini programs only, not to a ${kind}`);
    const unionId = await this.ask(appId, openId, order);
    return this.resolver.resolveOne({ appId, openId, unionId, source: 'paid_unionid', observedAt: null }, asker);
  }

  private async ask(appId: string, openId: string, order: PaidOrder): Promise<string> {
    try {
      return await this.wechat.getPaidUnionId({ appId, openId, ...order });
    } catch (error) {
      throw error instanceof WechatError ? refusalOf(error) : error;
    }
  }
}
