import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';
import { decodeBase64 } from './strict-base64.js';

/** WeChat pads to 32 although the cipher's block is 16: pads of 17 to 32 make Node's own unpadding throw. */
const padBlockBytes = 32;
const cipherBlockBytes = 16;
const randomLength = 16;
const lengthBytes = 4;
const headBytes = randomLength + lengthBytes;

/**
 * 43 letters and digits. Never checked by decoding and encoding again: most keys are not canonical base64, their two
 * spare bits are not zero.
 */
export function isEncodingAesKey(text: string): boolean {
  return /^[A-Za-z0-9]{43}$/.test(text);
}

/** sha1 over the parts, sorted byte by byte and joined without anything between them. */
export function signPush(token: string, ...parts: readonly string[]): string {
  const sorted = [token, ...parts].map((part) => Buffer.from(part)).toSorted((one, other) => one.compare(other));
  return createHash('sha1').update(Buffer.concat(sorted)).digest('hex');
}

export type Decrypted =
  | { readonly ok: true; readonly message: Buffer }
  | { readonly ok: false; readonly reason: 'malformed' | 'undecryptable' | 'foreign_app' };

/** The message inside `Encrypt`, if it was made for this app. An empty id inside is no wildcard. */
export function decryptPush(encrypt: string, { encodingAesKey, appId }: PushKey): Decrypted {
  // Some encoders wrap base64; the line ends are signed for, but are no part of the data.
  const bytes = decodeBase64(encrypt.replace(/[\r\n]/g, ''));
  if (bytes === null || bytes.length === 0 || bytes.length % cipherBlockBytes !== 0) {
    return { ok: false, reason: 'malformed' };
  }
  const key = keyOf(encodingAesKey);
  const decipher = createDecipheriv('aes-256-cbc', key, key.subarray(0, cipherBlockBytes)).setAutoPadding(false);
  const padded = Buffer.concat([decipher.update(bytes), decipher.final()]);
  const plain = unpad(padded);
  if (plain === null || plain.length < headBytes) return { ok: false, reason: 'undecryptable' };
  const end = headBytes + plain.readUInt32BE(randomLength);
  if (end > plain.length) return { ok: false, reason: 'undecryptable' };
  if (!plain.subarray(end).equals(Buffer.from(appId))) return { ok: false, reason: 'foreign_app' };
  return { ok: true, message: plain.subarray(headBytes, end) };
}

export interface PushKey {
  readonly encodingAesKey: string;
  readonly appId: string;
}

/** The other direction, as WeChat does it: for stand-ins and tests. `random` is 16 bytes. */
export function encryptPush(message: string, { encodingAesKey, appId }: PushKey, random?: Uint8Array): string {
  const content = Buffer.from(message);
  const length = Buffer.alloc(lengthBytes);
  length.writeUInt32BE(content.length);
  const plain = Buffer.concat([random ?? randomBytes(randomLength), length, content, Buffer.from(appId)]);
  const pad = padBlockBytes - (plain.length % padBlockBytes);
  const key = keyOf(encodingAesKey);
  const cipher = createCipheriv('aes-256-cbc', key, key.subarray(0, cipherBlockBytes)).setAutoPadding(false);
  return Buffer.concat([cipher.update(plain), cipher.update(Buffer.alloc(pad, pad)), cipher.final()]).toString(
    'base64',
  );
}

function unpad(padded: Buffer): Buffer | null {
  const pad = padded.at(-1) ?? 0;
  if (pad < 1 || pad > padBlockBytes || pad > padded.length) return null;
  const end = padded.length - pad;
  return padded.subarray(end).every((byte) => byte === pad) ? padded.subarray(0, end) : null;
}

function keyOf(encodingAesKey: string): Buffer {
  // The length only: the key itself is nobody's business.
  if (!isEncodingAesKey(encodingAesKey)) throw new TypeError('an EncodingAESKey is 43 letters and digits');
  return Buffer.from(`${encodingAesKey}=`, 'base64');
}
