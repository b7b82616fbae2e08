import { createHash, createHmac } from 'node:crypto';
import { isSameDigest } from './constant-time.js';

/** `signature` of getUserInfo: sha1 over rawData exactly as received, followed by the session_key as text. */
export function signRawData(rawData: string, sessionKey: string): string {
  return createHash('sha1').update(rawData).update(sessionKey).digest('hex');
}

/** Never re-serialise rawData before: key order and escapes are part of what was signed. */
export function isRawDataGenuine(given: { rawData: string; signature: string; sessionKey: string }): boolean {
  return isSameDigest(signRawData(given.rawData, given.sessionKey), given.signature);
}

/** HMAC-SHA256 keyed with the session_key as text, not base64-decoded. checksession signs the empty text. */
export function signWithSession(data: string, sessionKey: string): string {
  return createHmac('sha256', sessionKey).update(data).digest('hex');
}
