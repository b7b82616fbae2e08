import { randomBytes } from 'node:crypto';
import { encryptPush, signPush } from '#wechat';
import type { App, PushSettings } from '../world/world.js';

export type PushFields = Readonly<Record<string, unknown>>;

export interface Envelope {
  readonly url: string;
  readonly body: string;
  readonly contentType: string;
}

/** One push as WeChat posts it: signed, and encrypted if the app is set up so. */
export function envelopeFor(app: App, push: PushSettings, fields: PushFields): Envelope {
  const message = write(fields, push.format);
  const timestamp = String(Math.floor(Date.now() / 1000));
  const nonce = String(randomBytes(4).readUInt32BE());
  const url = new URL(push.url);
  url.searchParams.set('signature', signPush(push.token, timestamp, nonce));
  url.searchParams.set('timestamp', timestamp);
  url.searchParams.set('nonce', nonce);
  const openId = fields['FromUserName'];
  if (typeof openId === 'string') url.searchParams.set('openid', openId);
  const contentType = push.format === 'xml' ? 'text/xml' : 'application/json';
  if (push.mode === 'plain' || push.encodingAesKey === null) return { url: url.href, body: message, contentType };
  const Encrypt = encryptPush(message, { encodingAesKey: push.encodingAesKey, appId: app.appId });
  url.searchParams.set('encrypt_type', 'aes');
  url.searchParams.set('msg_signature', signPush(push.token, timestamp, nonce, Encrypt));
  const shown = push.mode === 'safe' ? { ToUserName: app.originalId } : fields;
  return { url: url.href, body: write({ ...shown, Encrypt }, push.format), contentType };
}

function write(fields: PushFields, format: PushSettings['format']): string {
  return format === 'json' ? JSON.stringify(fields) : `<xml>${elements(fields)}</xml>`;
}

function elements(fields: PushFields): string {
  return Object.entries(fields)
    .flatMap(([name, value]) => (Array.isArray(value) ? value : [value]).map((one: unknown) => element(name, one)))
    .join('\n');
}

/** Numbers bare, texts in CDATA, which has no escape of its own: an end inside is cut in two. */
function element(name: string, value: unknown): string {
  if (typeof value === 'number') return `<${name}>${value}</${name}>`;
  if (typeof value === 'object' && value !== null) return `<${name}>${elements(value as PushFields)}</${name}>`;
  const text = typeof value === 'string' ? value : JSON.stringify(value ?? '');
  return `<${name}><![CDATA[${text.replaceAll(']]>', ']]]]><![CDATA[>')}]]></${name}>`;
}
