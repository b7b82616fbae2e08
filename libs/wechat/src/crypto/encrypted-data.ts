import { createCipheriv, createDecipheriv } from 'node:crypto';
import { isWechatId } from '../client/shape.js';
import { isObject } from '../http/answer.js';
import { decodeBase64 } from './strict-base64.js';

const keyBytes = 16;
const blockBytes = 16;

export interface EncryptedData {
  readonly encryptedData: string;
  readonly iv: string;
}

/** What jscode2session said in the same login. */
export interface LoginFacts {
  readonly appId: string;
  readonly openId: string;
  readonly unionId: string | null;
  readonly sessionKey: string;
}

export type UserData =
  | {
      readonly ok: true;
      /** False for getUserProfile and phone numbers, which never name the person. */
      readonly namesPerson: boolean;
      /**
       * A unionId that only this data supplied. A finding, never a link: blocks of ciphertext can be rearranged into
       * another person's unionId without knowing the key.
       */
      readonly unconfirmedUnionId: string | null;
      /** Unix seconds of the watermark, for a limit on its age. */
      readonly timestampSeconds: number | null;
      readonly fields: Readonly<Record<string, unknown>>;
    }
  | { readonly ok: false; readonly reason: UserDataRefusal };

/**
 * `malformed`: wrong base64 or lengths. `undecryptable`: another session_key, most often because wx.login was called
 * again in between; the client logs in first, then fetches the data. The others are forgery or a mix-up of apps.
 */
export type UserDataRefusal =
  'malformed' | 'undecryptable' | 'not_json' | 'foreign_app' | 'foreign_person' | 'different_union_id';

/**
 * Decrypts what getUserInfo's client sent along and checks it against the login. CBC without authentication is easily
 * bent: whoever sends the iv can rewrite the first sixteen bytes, five letters of the openId among them. So nothing is
 * taken from here that the login itself did not say.
 */
export function readUserData(data: EncryptedData, login: LoginFacts): UserData {
  const [key, iv] = [decodeBase64(login.sessionKey), decodeBase64(data.iv)];
  const bytes = decodeBase64(data.encryptedData.replace(/[\r\n]/g, ''));
  if (key?.length !== keyBytes || iv?.length !== blockBytes) return refused('malformed');
  if (bytes === null || bytes.length === 0 || bytes.length % blockBytes !== 0) return refused('malformed');
  const text = decrypt(bytes, key, iv);
  if (text === null) return refused('undecryptable');
  const fields = parseObject(text);
  if (fields === null) return refused('not_json');
  const { watermark } = fields;
  if (!isObject(watermark) || watermark['appid'] !== login.appId) return refused('foreign_app');
  const { openId } = fields;
  if (openId !== undefined && openId !== login.openId) return refused('foreign_person');
  const unionId = unionIdOf(fields['unionId']);
  if (unionId === undefined) return refused('different_union_id');
  if (unionId !== null && login.unionId !== null && unionId !== login.unionId) return refused('different_union_id');
  const { timestamp } = watermark;
  return {
    ok: true,
    namesPerson: openId !== undefined,
    unconfirmedUnionId: login.unionId === null && openId !== undefined ? unionId : null,
    timestampSeconds: typeof timestamp === 'number' ? timestamp : null,
    fields,
  };
}

/** The other direction, as WeChat's client does it: for stand-ins and tests. */
export function encryptUserData(fields: object, { sessionKey, iv }: { sessionKey: string; iv: string }): string {
  const cipher = createCipheriv('aes-128-cbc', Buffer.from(sessionKey, 'base64'), Buffer.from(iv, 'base64'));
  return Buffer.concat([cipher.update(JSON.stringify(fields)), cipher.final()]).toString('base64');
}

function decrypt(bytes: Buffer, key: Buffer, iv: Buffer): string | null {
  try {
    const decipher = createDecipheriv('aes-128-cbc', key, iv);
    const plain = Buffer.concat([decipher.update(bytes), decipher.final()]);
    // Fatal: a flipped bit inside a text would otherwise pass as U+FFFD.
    return new TextDecoder('utf-8', { fatal: true }).decode(plain);
  } catch {
    return null;
  }
}

function parseObject(text: string): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : null;
  } catch {
    return null;
  }
}

/** Null where there is none, undefined where it is not an id. */
function unionIdOf(value: unknown): string | null | undefined {
  if (value === undefined || value === null) return null;
  if (typeof value !== 'string') return undefined;
  const unionId = value.trim();
  if (unionId === '') return null;
  return isWechatId(unionId) ? unionId : undefined;
}

function refused(reason: UserDataRefusal): UserData {
  return { ok: false, reason };
}
