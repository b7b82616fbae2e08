import { WechatClient, WechatError } from '#wechat';
import type { CallReport, WechatClientOptions } from '#wechat';
import { startSandbox } from '../sandbox.js';
import type { Sandbox } from '../sandbox.js';

/** What a control route answered; the specs look at the fields they ordered. */
export interface Told<T> {
  readonly status: number;
  readonly body: T;
}

type Fields = Readonly<Record<string, unknown>>;

/** A running sandbox and the client of libs/wechat in front of it, over real HTTP. */
export class Stage {
  readonly calls: CallReport[] = [];
  readonly secrets = new Map<string, string>();

  private constructor(readonly sandbox: Sandbox) {}

  static async open(): Promise<Stage> {
    return new Stage(await startSandbox());
  }

  client(options: Partial<WechatClientOptions> = {}): WechatClient {
    return new WechatClient({
      baseUrl: this.sandbox.url,
      secretOf: (appId) => this.secrets.get(appId) ?? 'secret',
      // Specs make calls fail in a row on purpose; the pauses have specs of their own.
      circuitFailuresMax: 1000,
      configurationPauseMs: 0,
      onCall: (report) => this.calls.push(report),
      ...options,
    });
  }

  async app(appId: string, settings: object): Promise<string> {
    await this.put(`/_control/apps/${appId}`, { kind: 'mini_program', ...settings });
    return appId;
  }

  async logIn(person: string, appId: string, more: object = {}): Promise<Record<'code' | 'openId', string>> {
    const { body } = await this.post<Record<'code' | 'openId', string>>('/_control/login', { person, appId, ...more });
    return body;
  }

  async fault(fault: object): Promise<void> {
    await this.post('/_faults', fault);
  }

  async post<T = Fields>(path: string, body: object): Promise<Told<T>> {
    return this.#send('POST', path, body);
  }

  async put<T = Fields>(path: string, body: object): Promise<Told<T>> {
    return this.#send('PUT', path, body);
  }

  async get<T = Fields>(path: string): Promise<Told<T>> {
    return this.#send('GET', path);
  }

  /** An app's token, for calls without the client. */
  async tokenOf(appId: string): Promise<string> {
    return (await this.client().stableToken({ appId })).accessToken;
  }

  async #send<T>(method: string, path: string, body?: object): Promise<Told<T>> {
    const init = { method, ...(body && { body: JSON.stringify(body) }) };
    const response = await fetch(`${this.sandbox.url}${path}`, init);
    return { status: response.status, body: (await response.json()) as T };
  }
}

/** The refusal a call ends with; a call that works is a failure of the spec. */
export async function refusalOf(call: Promise<unknown>): Promise<WechatError> {
  try {
    await call;
  } catch (error) {
    if (error instanceof WechatError) return error;
    throw error;
  }
  throw new Error('the call was not refused');
}
