import { Injectable } from '@nestjs/common';
import type { OpenImport, StoredLine } from '#store';
import { Database, failImport, pauseImport, storeFollowerPage } from '#store';
import { openIdsMax, WechatClient, WechatError } from '#wechat';
import { refusalOf } from '../login/wechat-refusal.js';
import { Resolver } from '../resolve/resolver.js';
import { resultOf } from './identity-portions.js';
import type { FollowerLine } from './import-lines.js';
import type { LineResult, Portion, PortionMaker } from './portion.js';
import { originOf } from './portion.js';

/** The most that batchget takes in one call. */
export const followersPerPortion = openIdsMax;

/** What only an operator can mend ends the job; everything else is a matter of time. */
const passing = new Set(['throttled', 'retry_later']);
const usualPauseMs = 5_000;
/** A used-up quota lasts until midnight in Beijing, but may be cleared by hand: asked again as often as the client lets. */
const pauseMaxMs = 600_000;

const foreign: LineResult = {
  code: 'foreign_open_id',
  message: 'WeChat says that this openId does not belong to the app',
};

/**
 * Pulls the follower list of a service account and asks for unionIds by the hundred: 10,000 followers are one call to
 * user/get (500 a day) and a hundred to batchget (WeChat facts 2.6). Nothing of it happens inside a transaction.
 */
@Injectable()
export class FollowerPortions implements PortionMaker {
  /** Until when a job waits, in this process: after a restart it is tried at once. */
  private readonly pausedUntil = new Map<string, number>();

  constructor(
    private readonly database: Database,
    private readonly wechat: WechatClient,
    private readonly resolver: Resolver,
  ) {}

  isPaused(job: OpenImport): boolean {
    return Date.now() < (this.pausedUntil.get(job.id) ?? 0);
  }

  /** Stores the next page of the list, with where it goes on. Answers how many it named. */
  async list(job: OpenImport): Promise<number> {
    const page = await this.wechat.userGet({ appId: appOf(job), nextOpenId: job.next_open_id });
    await this.database.transaction((transaction) => storeFollowerPage(transaction, job, page));
    return page.openIds.length;
  }

  async make(job: OpenImport, lines: readonly StoredLine[]): Promise<Portion> {
    const appId = appOf(job);
    const openIds = lines.map(({ content }) => (content as FollowerLine).openId);
    const batch = await this.wechat.userInfoBatch({ appId, openIds });
    const isForeign = new Set(batch.foreign);
    const observations = openIds
      .filter((openId) => !isForeign.has(openId))
      .map((openId) => {
        const unionId = batch.followers.get(openId)?.unionId ?? null;
        return { appId, openId, unionId, source: 'user_batchget', observedAt: null };
      });
    const plan = await this.resolver.plan(observations, { ...originOf(job, 'import'), entityId: job.entity_id });
    return {
      wanted: plan.wanted,
      decide: (world) => {
        const answers = plan.decide(world).map(resultOf).values();
        return openIds.map((openId) => (isForeign.has(openId) ? foreign : (answers.next().value ?? foreign)));
      },
    };
  }

  /** WeChat refused: the job waits, or ends where waiting does not help. */
  async refused(job: OpenImport, error: WechatError): Promise<void> {
    const { code, message } = refusalOf(error);
    const number = error.errcode === null ? '' : ` (${error.errcode})`;
    const why = { code, message: `${message}${number}` };
    if (!passing.has(error.reaction)) {
      await failImport(this.database, job.id, why);
      return;
    }
    const pauseMs = Math.min(pauseMaxMs, error.retryAfterMs ?? usualPauseMs);
    this.pausedUntil.set(job.id, Date.now() + pauseMs);
    await pauseImport(this.database, job.id, { ...why, until: new Date(Date.now() + pauseMs).toISOString() });
  }
}

function appOf(job: OpenImport): string {
  if (job.app_id === null) throw new Error('an import of followers names its app');
  return job.app_id;
}
