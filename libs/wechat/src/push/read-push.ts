import { isSameDigest } from '../crypto/constant-time.js';
import { decryptPush, isEncodingAesKey, signPush } from '../crypto/push-crypto.js';
import { PushUnreadable, textField } from './push-fields.js';
import { parsePush, readPushMessage } from './push-message.js';
import type { PushMessage, PushReading } from './push-message.js';
import type { UnreadableReason } from './push-fields.js';

/** Far above any real push. */
export const pushBodyMaxBytes = 64 * 1024;
/**
 * How far the push's timestamp may be off. Needed for more than replays: the signed parts are joined without a
 * separator, so digits can be moved between nonce and timestamp.
 */
export const pushWindowMs = 10 * 60_000;

/** How the operator set up the app's message push at WeChat, and here. */
export interface PushSettings {
  readonly token: string;
  /** Needed for compatible and safe mode. */
  readonly encodingAesKey?: string | null;
  readonly mode: 'plain' | 'compatible' | 'safe';
}

/** The query as the HTTP server parsed it: a repeated parameter is an array there, and refused here. */
export type PushQuery = Readonly<Record<string, unknown>>;

export interface PushRequest {
  readonly query: PushQuery;
  readonly contentType?: string | null;
  readonly body: Uint8Array | string;
  readonly settings: PushSettings;
  readonly appId: string;
  /** Unix milliseconds. */
  readonly nowMs: number;
}

/**
 * Why a push is not taken. The plain `signature` covers the URL only, `msg_signature` the encrypted body; both are sent
 * and both are valid, and checking the wrong one is the most repeated mistake of all (binarywang/WxJava issues 84, 817,
 * 1360, 2348). So they are told apart: `bad_signature` is about the first, which counts in plain mode and for the check
 * of the URL; `bad_msg_signature` and `no_msg_signature` are about the second.
 */
export type PushRefusal =
  | 'too_large'
  | 'wrong_charset'
  | 'repeated_parameter'
  | 'bad_query'
  | 'malformed_envelope'
  | 'not_encrypted'
  | 'no_encoding_aes_key'
  | 'bad_signature'
  | 'no_msg_signature'
  | 'bad_msg_signature'
  | 'stale_timestamp'
  | 'undecryptable'
  | 'foreign_app';

/**
 * `ok`: act on it. Refused: not from WeChat, or not for this app; answer 403 and keep nothing. Neither: WeChat sent it
 * and it cannot be understood; keep `body` and answer success, or WeChat repeats it. `body` is what was signed for,
 * decrypted where it was encrypted.
 */
export type ReceivedPush =
  | { readonly ok: true; readonly message: PushMessage; readonly body: Uint8Array }
  | { readonly ok: false; readonly refused: false; readonly reason: UnreadableReason; readonly body: Uint8Array }
  | { readonly ok: false; readonly refused: true; readonly reason: PushRefusal };

/** Checks who sent a push, decrypts and reads it. */
export function readPush(request: PushRequest): ReceivedPush {
  const { query, settings, appId, nowMs } = request;
  const body = typeof request.body === 'string' ? Buffer.from(request.body) : request.body;
  if (body.byteLength > pushBodyMaxBytes) return refused('too_large');
  if (!isUtf8(request.contentType)) return refused('wrong_charset');
  const signed = signedQuery(query);
  if (typeof signed === 'string') return refused(signed);
  if (settings.mode === 'plain' && query['msg_signature'] === undefined) {
    if (!isSigned(signed, settings.token, query['signature'])) return refused('bad_signature');
    if (!isFresh(signed.timestamp, nowMs)) return refused('stale_timestamp');
    return received(readPushMessage(body, appId), body);
  }
  return readEncrypted(body, signed, request);
}

/** Only `Encrypt` is signed for; in compatible mode the plain fields beside it are anybody's. */
function readEncrypted(body: Uint8Array, signed: Signed, { query, settings, appId, nowMs }: PushRequest): ReceivedPush {
  const encodingAesKey = settings.encodingAesKey ?? '';
  if (!isEncodingAesKey(encodingAesKey)) return refused('no_encoding_aes_key');
  const encrypt = encryptOf(body);
  if ('refusal' in encrypt) return refused(encrypt.refusal);
  const { msg_signature: signature } = query;
  if (signature === undefined || signature === '') return refused('no_msg_signature');
  if (!isSigned(signed, settings.token, signature, encrypt.text)) return refused('bad_msg_signature');
  if (!isFresh(signed.timestamp, nowMs)) return refused('stale_timestamp');
  const decrypted = decryptPush(encrypt.text, { encodingAesKey, appId });
  if (!decrypted.ok) return refused(decrypted.reason === 'foreign_app' ? 'foreign_app' : 'undecryptable');
  return received(readPushMessage(decrypted.message, appId), decrypted.message);
}

export type UrlCheck =
  | { readonly ok: true; /** Answer exactly this, as text/plain. */ readonly echostr: string }
  | { readonly ok: false; readonly reason: PushRefusal };

/** WeChat's GET when the operator saves the push URL. Unlike WeCom it does not encrypt the echostr. */
export function verifyUrl(query: PushQuery, token: string, nowMs: number): UrlCheck {
  const signed = signedQuery(query);
  if (typeof signed === 'string') return { ok: false, reason: signed };
  const { echostr } = query;
  // The echostr is not signed: only what cannot be mistaken for markup is echoed.
  if (typeof echostr !== 'string' || !/^[\w+/=.-]{1,256}$/.test(echostr)) return { ok: false, reason: 'bad_query' };
  if (!isSigned(signed, token, query['signature'])) return { ok: false, reason: 'bad_signature' };
  if (!isFresh(signed.timestamp, nowMs)) return { ok: false, reason: 'stale_timestamp' };
  return { ok: true, echostr };
}

function refused(reason: PushRefusal): ReceivedPush {
  return { ok: false, refused: true, reason };
}

function received(reading: PushReading, body: Uint8Array): ReceivedPush {
  return reading.ok
    ? { ok: true, message: reading.message, body }
    : { ok: false, refused: false, reason: reading.reason, body };
}

interface Signed {
  readonly timestamp: string;
  readonly nonce: string;
}

function signedQuery(query: PushQuery): Signed | 'repeated_parameter' | 'bad_query' {
  if (Object.values(query).some((value) => Array.isArray(value))) return 'repeated_parameter';
  const { timestamp, nonce } = query;
  if (typeof timestamp !== 'string' || !/^[1-9]\d{9}$/.test(timestamp)) return 'bad_query';
  if (typeof nonce !== 'string' || !/^[\x21-\x7e]{1,128}$/.test(nonce)) return 'bad_query';
  return { timestamp, nonce };
}

function isSigned({ timestamp, nonce }: Signed, token: string, signature: unknown, ...parts: string[]): boolean {
  // Without a token everybody could sign.
  return (
    token !== '' &&
    typeof signature === 'string' &&
    isSameDigest(signPush(token, timestamp, nonce, ...parts), signature)
  );
}

function isFresh(timestamp: string, nowMs: number): boolean {
  return Math.abs(nowMs - Number(timestamp) * 1000) <= pushWindowMs;
}

function isUtf8(contentType: string | null | undefined): boolean {
  const charset = /;\s*charset\s*=\s*"?([^";\s]*)/i.exec(contentType ?? '')?.[1];
  return charset === undefined || /^utf-?8$/i.test(charset);
}

/** Trimmed before it is verified: blanks around the CDATA would change the digest (binarywang/WxJava issue 1634). */
function encryptOf(body: Uint8Array): { readonly text: string } | { readonly refusal: PushRefusal } {
  try {
    const text = textField(parsePush(body), 'Encrypt');
    return text === undefined ? { refusal: 'not_encrypted' } : { text };
  } catch (error) {
    if (error instanceof PushUnreadable) return { refusal: 'malformed_envelope' };
    throw error;
  }
}
