import { Injectable } from '@nestjs/common';
import type { DueLookup } from '#store';
import { Database, holdDuty, leaveDuty, readDueLookups, settleLookup } from '#store';
import { WechatClient, WechatError } from '#wechat';
import { v7 } from 'uuid';
import { Resolver } from '../resolve/resolver.js';

const atOnce = 20;
/** 5 s after the push, then after a minute, ten minutes and an hour (WeChat facts 3.3). */
const againSeconds = [60, 600, 3600];
const duty = 'follower-lookups';

/** Asks WeChat for the unionId of somebody who followed; nothing of it happens inside a transaction. */
@Injectable()
export class FollowerLookups {
  private readonly owner = v7();

  constructor(
    private readonly database: Database,
    private readonly wechat: WechatClient,
    private readonly resolver: Resolver,
  ) {}

  async run(): Promise<number> {
    const due = await readDueLookups(this.database, atOnce);
    if (due.length === 0 || !(await holdDuty(this.database, duty, this.owner))) return 0;
    await Promise.all(due.map((lookup) => this.look(lookup)));
    return due.length;
  }

  async stop(): Promise<void> {
    await leaveDuty(this.database, duty, this.owner);
  }

  private async look(lookup: DueLookup): Promise<void> {
    const { app_id: appId, open_id: openId, entity_id: entityId } = lookup;
    let unionId: string | null = null;
    try {
      ({ unionId } = await this.wechat.userInfo({ appId, openId }));
    } catch (error) {
      if (!(error instanceof WechatError)) throw error;
    }
    if (unionId !== null) {
      const origin = { cause: 'push', actor: 'wechat', requestId: null, traceparent: null, reason: null } as const;
      const observation = { appId, openId, unionId, source: 'user_info', observedAt: null };
      await this.resolver.resolve([observation], { ...origin, entityId });
    }
    await settleLookup(this.database, lookup, unionId === null ? (againSeconds[lookup.attempt] ?? null) : null);
  }
}
