import { createHash } from 'node:crypto';
import { WechatError } from '../errors/wechat-error.js';
import type { AnswerFields } from '../http/answer.js';
import type { Endpoint } from '../http/endpoint.js';
import type { CallInput, Transport } from '../http/transport.js';
import type { AppTokenSource } from './app-token.js';
import { withRetries } from './backoff.js';
import type { Gate, GatePass } from './gate.js';
import { UnexpectedShape } from './shape.js';

/** What one call sends, and how its answer is read. */
export interface Call<T> {
  readonly appId: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: object;
  readonly secrets?: readonly string[];
  /** What else decides whether the app's set-up is right for this call; another one is tried at once. */
  readonly fingerprint?: string;
  readonly read: (fields: AnswerFields) => T;
}

/** Puts the transport behind the gate, repeats what may be repeated, and carries the app's token. */
export class Caller {
  readonly #transport: Transport;
  readonly #gate: Gate;

  constructor(transport: Transport, gate: Gate) {
    this.#transport = transport;
    this.#gate = gate;
  }

  async call<T>(endpoint: Endpoint, call: Call<T>): Promise<T> {
    return endpoint.repeatable ? withRetries(() => this.#once(endpoint, call)) : this.#once(endpoint, call);
  }

  /**
   * A call with the app's token. A dead token is replaced once and the call repeated once; when the new one is refused
   * too, an operator has to look. Never a loop: that is how two services kill each other's token for hours.
   */
  async callWithToken<T>(tokens: AppTokenSource, endpoint: Endpoint, call: Call<T>): Promise<T> {
    const token = await tokens.get(call.appId);
    try {
      return await this.call(endpoint, withToken(call, token));
    } catch (error) {
      if (!(error instanceof WechatError) || error.reaction !== 'refresh_app_token') throw error;
    }
    const replacement = await tokens.refresh(call.appId, token);
    try {
      return await this.call(endpoint, withToken(call, replacement));
    } catch (error) {
      if (!(error instanceof WechatError) || error.reaction !== 'refresh_app_token') throw error;
      throw error.wanting('configuration');
    }
  }

  async #once<T>(endpoint: Endpoint, call: Call<T>): Promise<T> {
    const { appId, query = {}, body, secrets = [], read } = call;
    const pass: GatePass = {
      appId,
      path: endpoint.path,
      fingerprint: fingerprintOf(call),
      limitedPerPerson: endpoint.limitedPerPerson ?? false,
      personal: endpoint.credential === 'user_token',
    };
    this.#gate.enter(pass);
    const input: CallInput = { appId, query, secrets, ...(body && { body }) };
    try {
      const answer = read(await this.#transport.call(endpoint, input));
      this.#gate.succeeded(pass);
      return answer;
    } catch (error) {
      const failure = error instanceof UnexpectedShape ? unreadable(endpoint, appId, error) : error;
      if (failure instanceof WechatError) this.#gate.failed(pass, failure);
      throw failure;
    }
  }
}

function withToken<T>(call: Call<T>, token: string): Call<T> {
  return {
    ...call,
    query: { access_token: token, ...call.query },
    secrets: [token, ...(call.secrets ?? [])],
  };
}

function unreadable(endpoint: Endpoint, appId: string, { message }: UnexpectedShape): WechatError {
  return new WechatError({
    reaction: 'retry_later',
    errcode: null,
    rid: null,
    endpoint: endpoint.path,
    appId,
    detail: message,
    sent: true,
  });
}

/** Not the secret itself, which would then sit in one more place. */
function fingerprintOf({ fingerprint = '' }: { readonly fingerprint?: string }): string {
  return createHash('sha256').update(fingerprint).digest('base64');
}
