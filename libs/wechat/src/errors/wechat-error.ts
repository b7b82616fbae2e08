import type { Reaction } from './reaction.js';

const textMaxLength = 500;

export interface WechatErrorFields {
  readonly reaction: Reaction;
  /** WeChat's number, or null where there was no readable answer. */
  readonly errcode: number | null;
  /** WeChat's request id, which openapi/rid/get explains for seven days. */
  readonly rid: string | null;
  /** The path, without query: the query holds secrets. */
  readonly endpoint: string;
  readonly appId: string;
  /** What happened, already without secrets. */
  readonly detail: string;
  /** False when nothing can have reached WeChat: a login code that was not sent is still good. */
  readonly sent: boolean;
  /** When the same call may be made again, where that is known. */
  readonly retryAfterMs?: number | null;
}

/** WeChat refused, or could not be asked. `reaction` says what to do; nothing in it is secret. */
export class WechatError extends Error {
  override readonly name = 'WechatError';
  readonly reaction: Reaction;
  readonly errcode: number | null;
  readonly rid: string | null;
  readonly endpoint: string;
  readonly appId: string;
  readonly detail: string;
  readonly sent: boolean;
  readonly retryAfterMs: number | null;

  constructor(fields: WechatErrorFields) {
    const number = fields.errcode === null ? '' : ` ${fields.errcode}`;
    const rid = fields.rid === null ? '' : `, rid ${fields.rid}`;
    super(`WeChat ${fields.endpoint} for ${fields.appId}:${number} ${fields.detail} (${fields.reaction}${rid})`);
    this.reaction = fields.reaction;
    this.errcode = fields.errcode;
    this.rid = fields.rid;
    this.endpoint = fields.endpoint;
    this.appId = fields.appId;
    this.detail = fields.detail;
    this.sent = fields.sent;
    this.retryAfterMs = fields.retryAfterMs ?? null;
  }

  /** The same refusal for a call that was not made because of it. */
  unsent(retryAfterMs: number): WechatError {
    const { reaction, errcode, rid, endpoint, appId } = this;
    const detail = this.sent ? `not asked again yet: ${this.detail}` : this.detail;
    return new WechatError({ reaction, errcode, rid, endpoint, appId, detail, sent: false, retryAfterMs });
  }

  /** The same refusal, wanting something else. */
  wanting(reaction: Reaction): WechatError {
    const { errcode, rid, endpoint, appId, detail, sent, retryAfterMs } = this;
    return new WechatError({ reaction, errcode, rid, endpoint, appId, detail, sent, retryAfterMs });
  }

  toJSON(): Record<string, unknown> {
    const { name, message, reaction, errcode, rid, endpoint, appId, sent, retryAfterMs } = this;
    return { name, message, reaction, errcode, rid, endpoint, appId, sent, retryAfterMs };
  }
}

/**
 * A text from outside, fit for a log: without the secrets of this call in any of the forms they travel in, without
 * control characters, and short.
 */
export function redact(text: string, secrets: readonly string[]): string {
  const forms = secrets
    .filter((secret) => secret !== '')
    .flatMap((secret) => [
      secret,
      encodeURIComponent(secret),
      new URLSearchParams([['', secret]]).toString().slice(1),
      JSON.stringify(secret).slice(1, -1),
    ])
    // The longest first, so that no rest of a longer form stays behind.
    .toSorted((one, other) => other.length - one.length);
  const without = forms.reduce((rest, form) => rest.replaceAll(form, '[secret]'), text);
  // eslint-disable-next-line no-control-regex -- control characters are what is to go
  return without.replace(/[\u0000-\u001f\u007f-\u009f]+/g, ' ').slice(0, textMaxLength);
}
