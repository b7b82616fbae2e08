import { type Acme, ok, startAcme } from './acme.js';
import { type Answer, type Http, http, type Json } from './http.js';
import { type App, startSandbox } from './processes.js';

/** A WeChat with WeChat's manners, and an Acme whose API processes ask it. */
export interface WechatScene {
  readonly acme: Acme;
  readonly sandbox: App;
  readonly wechat: Http;
  /** Declares the app on both sides. */
  put(appId: string, kind: string, openPlatform: string | null, more?: object): Promise<void>;
  /** The next calls of one app to one endpoint go wrong. */
  fault(appId: string, endpoint: string, more: object): Promise<void>;
  /** A login code of this person, with what the client would send along. */
  codeOf(person: string, appId: string, more?: object): Promise<Json>;
  login(route: 'mini-program' | 'oauth', appId: string, code: string): Promise<Answer<Json>>;
  /** How often WeChat was called there for this app, faults included. */
  calls(appId: string, endpoint: string): Promise<number>;
  stop(): Promise<void>;
}

export async function startWechatScene(
  options: { apis?: number; env?: Record<string, string>; sandboxEnv?: Record<string, string> } = {},
): Promise<WechatScene> {
  const sandbox = await startSandbox({ env: options.sandboxEnv ?? {} });
  const wechat = http(sandbox.url);
  const env = { WECHAT_BASE_URL: sandbox.url, ...options.env };
  const acme = await startAcme({ apis: options.apis ?? 2, env });
  return {
    acme,
    sandbox,
    wechat,
    put: async (appId, kind, openPlatform, more = {}) => {
      const secret = `secret-of-${appId}`;
      ok(await wechat.put(`/_control/apps/${appId}`, { kind, secret, openPlatform }));
      const app = { kind, name: appId, openPlatformId: openPlatform, appSecret: secret, ...more };
      ok(await acme.operator.put(`/v1/entities/acme/apps/${appId}`, app));
    },
    fault: async (appId, endpoint, more) => {
      ok(await wechat.post('/_faults', { appId, endpoint, times: 1, ...more }));
    },
    codeOf: async (person, appId, more = {}) =>
      ok(await wechat.post('/_control/login', { person, appId, ...more })).body,
    login: (route, appId, code) => acme.anyone().post(`/v1/logins/${route}`, { appId, code }),
    calls: async (appId, endpoint) => {
      const { calls } = ok(await wechat.get('/_control/state')).body;
      return calls.filter((call: Json) => call.appId === appId && call.endpoint === endpoint).length;
    },
    stop: async () => {
      await acme.stop();
      await sandbox.stop();
    },
  };
}

/** What a refusal says to a program: the status, our code, WeChat's number. */
export async function refusal(answer: Promise<Answer<Json>>): Promise<unknown[]> {
  const { status, body } = await answer;
  return [status, body.code, body.wechatErrcode];
}
