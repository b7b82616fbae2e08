import { reactionTo } from '../errors/reaction.js';
import { redact, WechatError } from '../errors/wechat-error.js';
import { isObject, readAnswer, requestId } from './answer.js';
import type { Answer, AnswerFields } from './answer.js';
import { connectTimeout } from './connect-timeout.js';
import type { DispatcherOption } from './connect-timeout.js';
import type { Endpoint } from './endpoint.js';

/** WeChat's API host. Others it names: api2., sh.api., sz.api. and hk.api.weixin.qq.com. */
export const wechatBaseUrl = 'https://api.weixin.qq.com';

/** Errors of a connection that was never made: nothing was sent, a login code is still good. */
const notConnected = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH']);
const connectTimedOut = 'UND_ERR_CONNECT_TIMEOUT';

/** One attempt at one call, for counting. `errcode` is 0 on success and null where no readable answer came. */
export interface CallReport {
  readonly appId: string;
  readonly endpoint: string;
  readonly errcode: number | null;
  readonly durationMs: number;
}

export interface TransportOptions {
  readonly baseUrl: string;
  readonly connectTimeoutMs: number;
  readonly totalTimeoutMs: number;
  readonly answerMaxBytes: number;
  readonly onCall: (report: CallReport) => void;
}

export interface CallInput {
  readonly appId: string;
  readonly query: Readonly<Record<string, string>>;
  readonly body?: object;
  /** Texts that must not occur in an error: WeChat may echo them. */
  readonly secrets: readonly string[];
}

/** Sends one request and reads one answer. Knows nothing of tokens, retries or pauses. */
export class Transport {
  readonly #options: TransportOptions;
  readonly #base: string;
  #dispatcher: Promise<DispatcherOption> | undefined;

  constructor(options: TransportOptions) {
    this.#options = options;
    this.#base = checkedBase(options.baseUrl);
  }

  /** The fields of a successful answer, or a WechatError. */
  async call(endpoint: Endpoint, input: CallInput): Promise<AnswerFields> {
    const startedAt = performance.now();
    const outcome = await this.#attempt(endpoint, input);
    this.#report({
      appId: input.appId,
      endpoint: endpoint.path,
      errcode: outcome instanceof WechatError ? outcome.errcode : 0,
      durationMs: performance.now() - startedAt,
    });
    if (outcome instanceof WechatError) throw outcome;
    return outcome;
  }

  async #attempt(endpoint: Endpoint, input: CallInput): Promise<AnswerFields | WechatError> {
    const failed = (detail: string, sent = true): WechatError =>
      new WechatError({
        reaction: 'retry_later',
        errcode: null,
        rid: null,
        endpoint: endpoint.path,
        appId: input.appId,
        detail: redact(detail, input.secrets),
        sent,
      });
    let answer: Answer;
    try {
      const response = await this.#send(endpoint, input);
      answer = await this.#read(response);
      if (!response.ok && (answer.kind === 'unreadable' || answer.errcode === 0)) {
        return failed(`answered HTTP ${response.status}`);
      }
    } catch (error) {
      const code = networkCode(error);
      return failed(networkDetail(code), !notConnected.has(code) && code !== connectTimedOut);
    }
    if (answer.kind === 'unreadable') return failed(answer.reason);
    if (answer.errcode === 0) return answer.fields;
    const errmsg = answer.fields['errmsg'];
    const detail = redact(typeof errmsg === 'string' ? errmsg : 'refused', input.secrets);
    return new WechatError({
      reaction: reactionTo(answer.errcode, endpoint.credential),
      errcode: answer.errcode,
      rid: requestId(detail),
      endpoint: endpoint.path,
      appId: input.appId,
      detail,
      sent: true,
    });
  }

  async #send(endpoint: Endpoint, input: CallInput): Promise<Response> {
    this.#dispatcher ??= connectTimeout(this.#options.connectTimeoutMs);
    const query = new URLSearchParams(input.query).toString();
    const url = `${this.#base}${endpoint.path}${query === '' ? '' : `?${query}`}`;
    const init: RequestInit = {
      method: endpoint.method,
      // A redirect would carry the query, and so the secret, to a host nobody configured.
      redirect: 'error',
      signal: AbortSignal.timeout(this.#options.totalTimeoutMs),
      headers: { accept: 'application/json', ...(input.body && { 'content-type': 'application/json' }) },
      ...(input.body && { body: JSON.stringify(input.body) }),
      ...(await this.#dispatcher),
    };
    return fetch(url, init);
  }

  /** Reads no further than the limit, whatever Content-Length or a compressed body says. */
  async #read(response: Response): Promise<Answer> {
    const chunks: Uint8Array[] = [];
    let size = 0;
    for await (const chunk of response.body ?? []) {
      size += chunk.byteLength;
      if (size > this.#options.answerMaxBytes) return { kind: 'unreadable', reason: 'the answer is too long' };
      chunks.push(chunk);
    }
    return readAnswer(Buffer.concat(chunks));
  }

  #report(report: CallReport): void {
    try {
      this.#options.onCall(report);
    } catch {
      // Counting is not worth a login.
    }
  }
}

function checkedBase(baseUrl: string): string {
  const url = URL.canParse(baseUrl) ? new URL(baseUrl) : null;
  if (url === null || !/^https?:$/.test(url.protocol) || url.search + url.hash + url.username + url.password !== '') {
    throw new TypeError('the base URL of WeChat is an http(s) URL without credentials, query and fragment');
  }
  return url.href.replace(/\/+$/, '');
}

/** Looks at shapes, not at classes: what fetch throws may come from another realm than this module's Error. */
function networkCode(error: unknown): string {
  const { name, cause } = isObject(error) ? error : {};
  if (name === 'TimeoutError') return 'timeout';
  const { code, message } = isObject(cause) ? cause : {};
  if (typeof code === 'string') return code;
  if (typeof message === 'string' && message.includes('redirect')) return 'redirect';
  return typeof name === 'string' ? name : 'unknown';
}

/** Only the kind of failure: the texts of network errors can hold the URL, and so the secret. */
function networkDetail(code: string): string {
  if (code === 'timeout') return 'did not answer in time';
  if (code === connectTimedOut || notConnected.has(code)) return `cannot be connected to (${code})`;
  if (code === 'redirect') return 'answered with a redirect, which is not followed';
  return `cannot be reached (${code})`;
}
