import { SecretText } from '../errors/secret-text.js';
import { integer, isObject } from '../http/answer.js';
import type { AnswerFields } from '../http/answer.js';
import {
  isWechatId,
  optionalId,
  optionalText,
  requiredId,
  requiredInteger,
  requiredObjects,
  requiredText,
  UnexpectedShape,
} from './shape.js';
import type { AppToken } from './app-token.js';

/** The most openids a page of user/get holds; a shorter page is the last. */
const pageSize = 10_000;

/** What a mini program's or mini game's login code stands for. */
export interface MiniProgramLogin {
  readonly openId: string;
  /** Null while the app is bound to no Open Platform account. */
  readonly unionId: string | null;
  /** Secret of this login: decrypts and verifies what the client sends along, and is then thrown away. */
  readonly sessionKey: SecretText;
}

export function toMiniProgramLogin(fields: AnswerFields): MiniProgramLogin {
  return {
    openId: requiredId(fields, 'openid'),
    unionId: optionalId(fields, 'unionid'),
    sessionKey: new SecretText(requiredText(fields, 'session_key')),
  };
}

/** What an OAuth code of a service account, website or mobile app stands for. */
export interface OauthLogin {
  readonly openId: string;
  /** Officially absent for `snsapi_base`; otherwise as bound. */
  readonly unionId: string | null;
  /** `snsapi_base`, `snsapi_userinfo`, `snsapi_login`. */
  readonly scopes: readonly string[];
  /**
   * True: openId and unionId are made up, and several strangers may share them. Store nothing. Only this answer says
   * so, `sns/userinfo` does not.
   */
  readonly isSnapshotUser: boolean;
  /** The person's token, for `snsUserInfo`; keep it no longer than that. */
  readonly accessToken: SecretText;
}

export function toOauthLogin(fields: AnswerFields): OauthLogin {
  return {
    openId: requiredId(fields, 'openid'),
    unionId: optionalId(fields, 'unionid'),
    scopes: (optionalText(fields, 'scope') ?? '').split(/[,\s]+/).filter((scope) => scope !== ''),
    isSnapshotUser: isFlagSet(fields['is_snapshotuser']),
    accessToken: new SecretText(requiredText(fields, 'access_token')),
  };
}

/** A flag that is there and is not clearly off counts as set: taking a made-up person for real merges strangers. */
function isFlagSet(value: unknown): boolean {
  return !(value === undefined || value === null || value === false || value === 0 || value === '0' || value === '');
}

export interface SnsUser {
  readonly openId: string;
  readonly unionId: string | null;
}

export function toSnsUser(fields: AnswerFields): SnsUser {
  return { openId: requiredId(fields, 'openid'), unionId: optionalId(fields, 'unionid') };
}

export function toAppToken(fields: AnswerFields): AppToken {
  return { accessToken: requiredText(fields, 'access_token'), expiresInSeconds: requiredInteger(fields, 'expires_in') };
}

/** A person as an official account may see them. */
export interface Follower {
  readonly openId: string;
  /** For followers of a bound account. Absent for others as a rule; use it if it comes. */
  readonly unionId: string | null;
  readonly isFollowing: boolean;
  /** Unix seconds. */
  readonly followedAtSeconds: number | null;
  /** `ADD_SCENE_ACCOUNT_MIGRATION`: arrived through the transfer of an account. */
  readonly followScene: string | null;
}

export function toFollower(fields: AnswerFields): Follower {
  return {
    openId: requiredId(fields, 'openid'),
    unionId: optionalId(fields, 'unionid'),
    isFollowing: requiredInteger(fields, 'subscribe') === 1,
    followedAtSeconds: integer(fields['subscribe_time']),
    followScene: optionalText(fields, 'subscribe_scene'),
  };
}

export function toFollowers(fields: AnswerFields): readonly Follower[] {
  return requiredObjects(fields, 'user_info_list').map(toFollower);
}

export interface FollowerPage {
  readonly total: number;
  readonly openIds: readonly string[];
  /** Where the next page starts; null on the last one, although WeChat names one there too. */
  readonly nextOpenId: string | null;
}

/** `data` is absent when the page is empty. */
export function toFollowerPage(fields: AnswerFields): FollowerPage {
  const count = requiredInteger(fields, 'count');
  const data = fields['data'];
  const openIds: unknown = isObject(data) ? data['openid'] : [];
  const areIds = Array.isArray(openIds) && openIds.every((id) => typeof id === 'string' && isWechatId(id));
  if (!areIds || openIds.length !== count)
    throw new UnexpectedShape('the page holds another number of ids than it says');
  return {
    total: requiredInteger(fields, 'total'),
    openIds: openIds as string[],
    nextOpenId: count < pageSize ? null : optionalId(fields, 'next_openid'),
  };
}

/** What became of one openId of a transferred official account. */
export interface ChangedOpenId {
  readonly oldOpenId: string;
  /** Null where the person did not follow the old account when it was transferred. */
  readonly newOpenId: string | null;
}

/** The errcode of the whole is 0 even where single ids failed. */
export function toChangedOpenIds(fields: AnswerFields): readonly ChangedOpenId[] {
  return requiredObjects(fields, 'result_list').map((item) => ({
    oldOpenId: requiredId(item, 'ori_openid'),
    newOpenId: optionalText(item, 'err_msg') === 'ok' ? requiredId(item, 'new_openid') : null,
  }));
}

export interface Quota {
  readonly dailyLimit: number;
  readonly used: number;
  readonly remaining: number;
}

export function toQuota(fields: AnswerFields): Quota {
  const quota = fields['quota'];
  if (!isObject(quota)) throw new UnexpectedShape('the answer lacks quota');
  return {
    dailyLimit: requiredInteger(quota, 'daily_limit'),
    used: requiredInteger(quota, 'used'),
    remaining: requiredInteger(quota, 'remain'),
  };
}
