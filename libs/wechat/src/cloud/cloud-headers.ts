import { isWechatId } from '../client/shape.js';

/** The headers WeChat's cloud hosting puts on a request to a container; what is not there is undefined. */
export const cloudHeaderNames = [
  'x-wx-source',
  'x-wx-appid',
  'x-wx-openid',
  'x-wx-unionid',
  'x-wx-from-appid',
  'x-wx-from-openid',
  'x-wx-from-unionid',
] as const;
export type CloudHeaders = Readonly<Partial<Record<(typeof cloudHeaderNames)[number], string>>>;

/**
 * - `no_source`: X-WX-SOURCE is missing, so the request did not come through WeChat;
 * - `no_caller`: no openId, or no app it belongs to;
 * - `two_callers`: both the app's own caller and one of a sharing app, which WeChat never sends;
 * - `malformed`: an id is none, or a header came twice.
 */
export type CloudHeadersRefusal = 'no_source' | 'no_caller' | 'two_callers' | 'malformed';

export type CloudCaller =
  | { readonly ok: true; readonly appId: string; readonly openId: string; readonly unionId: string | null }
  | { readonly ok: false; readonly reason: CloudHeadersRefusal };

/**
 * Who called a container in WeChat's cloud hosting. The person is in X-WX-OPENID; where another app uses the container by
 * resource sharing it is in X-WX-FROM-OPENID, with the app it belongs to in X-WX-FROM-APPID, and X-WX-OPENID is missing.
 * X-WX-SOURCE is on every request that came through WeChat, and WeChat's pages require the check where a container can be
 * reached from outside too (WeChat facts 1.4).
 */
export function readCloudHeaders(headers: CloudHeaders): CloudCaller {
  const text = (name: (typeof cloudHeaderNames)[number]): string => (headers[name] ?? '').trim();
  if (text('x-wx-source') === '') return refused('no_source');
  const isShared = text('x-wx-from-openid') !== '' || text('x-wx-from-appid') !== '';
  if (isShared && text('x-wx-openid') !== '') return refused('two_callers');
  const [appId, openId, unionId] = isShared
    ? [text('x-wx-from-appid'), text('x-wx-from-openid'), text('x-wx-from-unionid')]
    : [text('x-wx-appid'), text('x-wx-openid'), text('x-wx-unionid')];
  if (appId === '' || openId === '') return refused('no_caller');
  // Two headers of one name arrive joined by a comma, which is in no id.
  if (![appId, openId, ...(unionId === '' ? [] : [unionId])].every(isWechatId)) return refused('malformed');
  return { ok: true, appId, openId, unionId: unionId === '' ? null : unionId };
}

function refused(reason: CloudHeadersRefusal): CloudCaller {
  return { ok: false, reason };
}
