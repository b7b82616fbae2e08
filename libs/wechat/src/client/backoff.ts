import { setTimeout as pause } from 'node:timers/promises';
import { WechatError } from '../errors/wechat-error.js';

const triesMax = 3;
const firstPauseMs = 100;

/**
 * Tries an idempotent read again when WeChat is busy or unreachable: three tries in all, the pauses doubling, with
 * jitter so that replicas do not come back in step. Other refusals pass at once.
 */
export async function withRetries<T>(call: () => Promise<T>): Promise<T> {
  for (let tried = 1; ; tried += 1) {
    try {
      return await call();
    } catch (error) {
      if (!(error instanceof WechatError) || error.reaction !== 'retry_later' || tried >= triesMax) throw error;
      // A closed gate would only say the same again.
      if (error.retryAfterMs !== null) throw error;
      const ceilingMs = firstPauseMs * 2 ** tried;
      await pause(ceilingMs / 2 + Math.random() * (ceilingMs / 2));
    }
  }
}
