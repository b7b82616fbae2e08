import { WechatError } from '../errors/wechat-error.js';
import type { Follower } from './answers.js';

/** What batchget said about each openId that was asked for. */
export interface FollowerBatch {
  readonly followers: ReadonlyMap<string, Follower>;
  /** openIds of another app: refuse and count them. */
  readonly foreign: readonly string[];
  /** openIds WeChat passed over in silence. */
  readonly missing: readonly string[];
}

/**
 * One foreign openId fails a whole batchget with 40003 and is not named. Halving finds it: 2n − 1 calls at worst, where
 * every one is foreign, and about 2·log₂ n for a single one. Matched by openId, because the order is not promised.
 */
export async function askInHalves(
  openIds: readonly string[],
  ask: (openIds: readonly string[]) => Promise<readonly Follower[]>,
): Promise<FollowerBatch> {
  if (openIds.length === 0) return { followers: new Map(), foreign: [], missing: [] };
  let answered: readonly Follower[];
  try {
    answered = await ask(openIds);
  } catch (error) {
    if (!(error instanceof WechatError) || error.reaction !== 'foreign_identity') throw error;
    if (openIds.length === 1) return { followers: new Map(), foreign: openIds, missing: [] };
    const middle = Math.ceil(openIds.length / 2);
    const first = await askInHalves(openIds.slice(0, middle), ask);
    const second = await askInHalves(openIds.slice(middle), ask);
    return {
      followers: new Map([...first.followers, ...second.followers]),
      foreign: [...first.foreign, ...second.foreign],
      missing: [...first.missing, ...second.missing],
    };
  }
  const asked = new Set(openIds);
  const followers = new Map(
    answered.filter(({ openId }) => asked.has(openId)).map((follower) => [follower.openId, follower]),
  );
  return { followers, foreign: [], missing: openIds.filter((openId) => !followers.has(openId)) };
}
