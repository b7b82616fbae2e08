import { createHash } from 'node:crypto';
import { isWechatId } from '../client/shape.js';
import { parseJsonPush } from './json-push.js';
import { eitherField, PushUnreadable, textField } from './push-fields.js';
import type { PushFields, UnreadableReason } from './push-fields.js';
import { parseXmlPush } from './xml-push.js';

/** The events whose FromUserName is the platform's own sender: the person is in OpenID and nowhere else. */
const authorisationEvents: ReadonlySet<string> = new Set([
  'user_info_modified',
  'user_authorization_revoke',
  'user_authorization_cancellation',
]);

/** What people do. Events about the app come from an account of WeChat's own, whose id looks like anybody's. */
const personalEvents: ReadonlySet<string> = new Set([
  ...authorisationEvents,
  'subscribe',
  'unsubscribe',
  'scan',
  'click',
  'view',
  'view_miniprogram',
  'location',
  'location_select',
  'scancode_push',
  'scancode_waitmsg',
  'pic_sysphoto',
  'pic_photo_or_album',
  'pic_weixin',
  'user_enter_tempsession',
  'user_get_card',
  'user_del_card',
  'user_consume_card',
  'user_gifting_card',
  'user_view_card',
  'user_pay_from_pay_cell',
  'user_enter_session_from_card',
  'submit_membercard_user_info',
]);

/**
 * False where `openId` may be WeChat itself, as in notices that a version was audited or the app punished. WeChat invents
 * events as it likes: of one that is not known here, only a unionId shows that it is about a person.
 */
export function isByPerson({ event, unionId }: Pick<PushMessage, 'event' | 'unionId'>): boolean {
  return event === null || unionId !== null || personalEvents.has(event);
}

/** One message or event that WeChat pushed. */
export interface PushMessage {
  readonly appId: string;
  /** Lower case: WeChat prints `Event` and `event`. */
  readonly msgType: string;
  /** Lower case: `subscribe`, `scan`, `user_authorization_revoke`; null for a message. */
  readonly event: string | null;
  /** The person: OpenID for authorisation events, else FromUserName, which is not always one: see `isByPerson`. */
  readonly openId: string;
  /** Some events bring it along, under either spelling. */
  readonly unionId: string | null;
  /** Unix seconds. Pushes come in any order: this one decides. */
  readonly createTimeSeconds: number;
  /** Digits as sent: it exceeds 2^53, and from cloud functions it is no number at all. */
  readonly msgId: string | null;
  readonly eventKey: string | null;
  /** What was withdrawn, for `user_authorization_revoke`. */
  readonly revokeInfo: string | null;
  readonly pluginId: string | null;
  /** Equal for every copy WeChat sends of one push, whatever its envelope. */
  readonly dedupeKey: string;
  /** Everything that was sent. Holds what people wrote: keep no longer than needed. */
  readonly fields: PushFields;
}

export type PushReading =
  { readonly ok: true; readonly message: PushMessage } | { readonly ok: false; readonly reason: UnreadableReason };

/** Reads a push whose sender is already known to be WeChat: a body in plain mode, or what was inside `Encrypt`. */
export function readPushMessage(body: Uint8Array, appId: string): PushReading {
  try {
    return { ok: true, message: toMessage(parsePush(body), appId) };
  } catch (error) {
    if (error instanceof PushUnreadable) return { ok: false, reason: error.reason };
    throw error;
  }
}

/** XML or JSON is told by the first letter: the Content-Type of WeChat's posts is not to be relied on. */
export function parsePush(body: Uint8Array): PushFields {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(body);
  } catch {
    throw new PushUnreadable('not_utf8');
  }
  return text.trimStart().startsWith('<') ? parseXmlPush(text) : parseJsonPush(text);
}

function toMessage(fields: PushFields, appId: string): PushMessage {
  const event = textField(fields, 'Event')?.toLowerCase() ?? null;
  const isAuthorisation = event !== null && authorisationEvents.has(event);
  const namedApp = textField(fields, 'AppID');
  if (isAuthorisation && namedApp !== undefined && namedApp !== appId) throw new PushUnreadable('other_app');
  const sender = required(fields, 'FromUserName');
  const openId = isAuthorisation ? required(fields, 'OpenID') : sender;
  if (!isWechatId(openId)) throw new PushUnreadable('incomplete');
  const unionId = eitherField(fields, 'UnionID', 'UnionId');
  const known = {
    appId,
    msgType: required(fields, 'MsgType').toLowerCase(),
    event,
    createTimeSeconds: secondsOf(required(fields, 'CreateTime')),
    msgId: eitherField(fields, 'MsgId', 'MsgID') ?? null,
    eventKey: textField(fields, 'EventKey') ?? null,
    revokeInfo: textField(fields, 'RevokeInfo') ?? null,
    pluginId: textField(fields, 'PluginID') ?? null,
  };
  return {
    ...known,
    openId,
    unionId: unionId !== undefined && isWechatId(unionId) ? unionId : null,
    dedupeKey: dedupeKeyOf({ ...known, sender, subject: textField(fields, 'OpenID') ?? sender }),
    fields,
  };
}

export type DedupeFacts = Pick<
  PushMessage,
  'appId' | 'msgType' | 'event' | 'createTimeSeconds' | 'msgId' | 'eventKey' | 'revokeInfo' | 'pluginId'
> & {
  readonly sender: string;
  /** OpenID or, where that is absent, FromUserName. */
  readonly subject: string;
};

/**
 * WeChat recommends MsgId for messages and FromUserName with CreateTime for events. Both are too weak: MsgId was seen to
 * repeat across people (binarywang/WxJava issue 333), and the sender of authorisation events is always the same, so two
 * people who cancel in one second would be one. A digest, because the parts name people and have no length limit.
 */
export function dedupeKeyOf(facts: DedupeFacts): string {
  const { appId, event, msgId, sender, subject, createTimeSeconds, eventKey, revokeInfo, pluginId } = facts;
  const parts =
    event === null
      ? ['message', appId, sender, msgId ?? `${facts.msgType} at ${createTimeSeconds}`]
      : ['event', appId, event, subject, createTimeSeconds, eventKey, revokeInfo, pluginId];
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
}

function required(fields: PushFields, name: string): string {
  const text = textField(fields, name);
  if (text === undefined) throw new PushUnreadable('incomplete');
  return text;
}

/** A number in XML, a number or a text in JSON. */
function secondsOf(text: string): number {
  if (!/^\d{1,11}$/.test(text)) throw new PushUnreadable('incomplete');
  return Number(text);
}
