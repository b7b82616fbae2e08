import { WechatError } from '#wechat';
import { Refusal } from '../problem.js';
import { CodeNotSpent } from './login-codes.js';

/** What WeChat's refusal of a login means to the caller. Anything that is not WeChat's is passed on. */
export function asLoginRefusal(error: unknown): unknown {
  if (!(error instanceof WechatError)) return error;
  const refusal = refusalOf(error);
  return error.sent ? refusal : new CodeNotSpent(refusal);
}

export function refusalOf(error: WechatError): Refusal {
  const details = {
    wechatErrcode: error.errcode,
    rid: error.rid,
    ...(error.retryAfterMs === null ? {} : { retryAfterSeconds: Math.max(1, Math.ceil(error.retryAfterMs / 1000)) }),
  };
  switch (error.reaction) {
    case 'new_code':
    case 'session_stale':
      return new Refusal(
        'code_invalid',
        'WeChat does not accept this code: it expired, was used, or is of another app',
        details,
      );
    case 'blocked_user':
      return new Refusal('wechat_user_blocked', 'WeChat has blocked this user', details);
    case 'foreign_identity':
      return new Refusal('foreign_open_id', 'WeChat says that this openId does not belong to the app', details);
    case 'no_such_order':
      return new Refusal(
        'order_not_found',
        'WeChat knows no such payment of this person, or it is older than five minutes',
        details,
      );
    case 'throttled':
      return new Refusal('wechat_throttled', 'WeChat throttles this call of the app', details);
    case 'configuration':
    case 'our_bug':
    case 'refresh_app_token':
      return new Refusal('wechat_misconfigured', `WeChat refuses the set-up of the app: ${error.detail}`, details);
    default:
      return new Refusal('wechat_unavailable', 'WeChat could not be asked, or gave no readable answer', details);
  }
}
