import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WechatError } from '../errors/wechat-error.js';
import { WechatClient } from './wechat-client.js';
import type { WechatClientOptions } from './wechat-client.js';

export const appId = 'wx1234567890abcdef';
export const session = { openid: 'oA', session_key: 'tiihtNczf5v6AKRyjwEUhQ==' };
export const token = { access_token: 'token-1', expires_in: 7200 };
export const follower = { subscribe: 1, openid: 'oA', unionid: 'oU', subscribe_time: 1700000000, subscribe_scene: 'X' };

/** Answers one request: with an object as JSON, or in any way it likes. */
export type Answerer = object | string | ((request: IncomingMessage, response: ServerResponse) => void);

export interface Seen {
  readonly path: string;
  readonly query: URLSearchParams;
  readonly body: string;
}

/** A loopback server that gives the answers it was told, one after the other, the last for ever. */
export class FakeWechat {
  readonly seen: Seen[] = [];
  #answers: Answerer[] = [];

  private constructor(private readonly server: Server) {}

  static async open(): Promise<FakeWechat> {
    const server = createServer();
    const fake = new FakeWechat(server);
    server.on('request', (request, response) => void fake.#answer(request, response));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return fake;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  client(options: Partial<WechatClientOptions> = {}): WechatClient {
    return new WechatClient({ baseUrl: this.url, secretOf: () => 'the-secret', ...options });
  }

  answers(...answers: readonly Answerer[]): void {
    this.seen.length = 0;
    this.#answers = [...answers];
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://fake');
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    this.seen.push({ path: url.pathname, query: url.searchParams, body: Buffer.concat(chunks).toString() });
    const answer = this.#answers.length > 1 ? this.#answers.shift() : this.#answers[0];
    if (typeof answer === 'function') {
      answer(request, response);
      return;
    }
    response.setHeader('content-type', 'text/plain');
    response.end(typeof answer === 'string' ? answer : JSON.stringify(answer));
  }
}

/** The refusal a call ends with; a call that works is a failure of the spec. */
export async function refusalOf(call: Promise<unknown>): Promise<WechatError> {
  const outcome = await call.catch((error: unknown) => error);
  if (outcome instanceof WechatError) return outcome;
  throw new Error('the call was not refused');
}
