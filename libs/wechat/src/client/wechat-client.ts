import { WechatError } from '../errors/wechat-error.js';
import type { SecretText } from '../errors/secret-text.js';
import { endpoints } from '../http/endpoint.js';
import type { Endpoint } from '../http/endpoint.js';
import { Transport, wechatBaseUrl } from '../http/transport.js';
import type { CallReport } from '../http/transport.js';
import { signWithSession } from '../crypto/signatures.js';
import { MemoryAppTokenSource } from './app-token.js';
import type { AppToken, AppTokenSource, FetchAppToken } from './app-token.js';
import {
  toAppToken,
  toChangedOpenIds,
  toFollower,
  toFollowerPage,
  toFollowers,
  toMiniProgramLogin,
  toOauthLogin,
  toQuota,
  toSnsUser,
} from './answers.js';
import type { ChangedOpenId, Follower, FollowerPage, MiniProgramLogin, OauthLogin, Quota, SnsUser } from './answers.js';
import { Caller } from './caller.js';
import type { Call } from './caller.js';
import { askInHalves } from './follower-batch.js';
import type { FollowerBatch } from './follower-batch.js';
import { Gate } from './gate.js';
import { requiredId, requiredInteger } from './shape.js';

/** The most openIds batchget and changeopenid take in one call. */
export const openIdsMax = 100;

export interface WechatClientOptions {
  /** The app's secret, asked for when it is needed; null where there is none. */
  readonly secretOf: (appId: string) => string | null | Promise<string | null>;
  /** Where app tokens are kept; in this process unless told otherwise. Gets the function that fetches one. */
  readonly tokens?: (fetchToken: FetchAppToken) => AppTokenSource;
  /** WeChat's API, or a stand-in. Nothing but this setting decides where secrets are sent. */
  readonly baseUrl?: string;
  /** Default 2 s. */
  readonly connectTimeoutMs?: number;
  /** For one attempt, its answer included; default 5 s. */
  readonly totalTimeoutMs?: number;
  /** Default 2 MiB: the longest answer, a page of user/get, has some 310 KB. */
  readonly answerMaxBytes?: number;
  /** Failures in a row that open the circuit of one app and endpoint; default 10. */
  readonly circuitFailuresMax?: number;
  /** How long an open circuit lets nothing through; default 5 s. */
  readonly circuitOpenMs?: number;
  /** How long a call is not made again after WeChat refused the app's set-up; default 10 s. */
  readonly configurationPauseMs?: number;
  /** How often one call tries while the day's quota is used up; default 10 minutes. */
  readonly quotaProbeMs?: number;
  /** Called after each attempt, for metrics. */
  readonly onCall?: (report: CallReport) => void;
  readonly now?: () => number;
}

export type PaidOrder = { readonly transactionId: string } | { readonly mchId: string; readonly outTradeNo: string };

/** WeChat's server API, as far as it says who somebody is. Every refusal is a WechatError. */
export class WechatClient {
  readonly #secretOf: WechatClientOptions['secretOf'];
  readonly #caller: Caller;
  readonly #tokens: AppTokenSource;

  constructor(options: WechatClientOptions) {
    const now = options.now ?? Date.now;
    this.#secretOf = options.secretOf;
    const transport = new Transport({
      baseUrl: options.baseUrl ?? wechatBaseUrl,
      connectTimeoutMs: options.connectTimeoutMs ?? 2000,
      totalTimeoutMs: options.totalTimeoutMs ?? 5000,
      answerMaxBytes: options.answerMaxBytes ?? 2 * 1024 * 1024,
      onCall: options.onCall ?? (() => undefined),
    });
    const gate = new Gate({
      failuresMax: options.circuitFailuresMax ?? 10,
      openMs: options.circuitOpenMs ?? 5000,
      configurationPauseMs: options.configurationPauseMs ?? 10_000,
      quotaProbeMs: options.quotaProbeMs ?? 10 * 60_000,
      now,
    });
    this.#caller = new Caller(transport, gate);
    const fetchToken: FetchAppToken = (appId, { forceRefresh }) => this.stableToken({ appId, forceRefresh });
    this.#tokens = options.tokens?.(fetchToken) ?? new MemoryAppTokenSource(fetchToken, now);
  }

  /** Exchanges a mini program's or mini game's login code. Never repeated: the code is spent even if the answer is lost. */
  async code2session({ appId, code }: { appId: string; code: string }): Promise<MiniProgramLogin> {
    return this.#withSecret(endpoints.code2session, appId, (secret) => ({
      appId,
      query: { appid: appId, secret, js_code: code, grant_type: 'authorization_code' },
      secrets: [code],
      read: toMiniProgramLogin,
    }));
  }

  /** Exchanges an OAuth code of a service account, website or mobile app. Never repeated, as above. */
  async oauthAccessToken({ appId, code }: { appId: string; code: string }): Promise<OauthLogin> {
    return this.#withSecret(endpoints.oauthAccessToken, appId, (secret) => ({
      appId,
      query: { appid: appId, secret, code, grant_type: 'authorization_code' },
      secrets: [code],
      read: toOauthLogin,
    }));
  }

  /** The person behind a user token. Worth asking only where the login gave no unionId and its scope allows it. */
  async snsUserInfo(given: { appId: string; openId: string; accessToken: SecretText }): Promise<SnsUser> {
    const token = given.accessToken.reveal();
    return this.#caller.call(endpoints.snsUserInfo, {
      appId: given.appId,
      query: { access_token: token, openid: given.openId, lang: 'zh_CN' },
      secrets: [token],
      read: toSnsUser,
    });
  }

  /** The app's access token, on the line that does not disturb other systems of the same app. */
  async stableToken({ appId, forceRefresh = false }: { appId: string; forceRefresh?: boolean }): Promise<AppToken> {
    const endpoint = forceRefresh ? endpoints.forcedStableToken : endpoints.stableToken;
    return this.#withSecret(endpoint, appId, (secret) => ({
      appId,
      body: { grant_type: 'client_credential', appid: appId, secret, force_refresh: forceRefresh },
      read: toAppToken,
    }));
  }

  /** One person as an official account sees them: openId to unionId, for followers. */
  async userInfo({ appId, openId }: { appId: string; openId: string }): Promise<Follower> {
    return this.#withToken(endpoints.userInfo, { appId, query: { openid: openId, lang: 'zh_CN' }, read: toFollower });
  }

  /** Up to a hundred at once; openIds of other apps are found and set apart. */
  async userInfoBatch({ appId, openIds }: { appId: string; openIds: readonly string[] }): Promise<FollowerBatch> {
    const distinct = distinctOpenIds(openIds);
    return askInHalves(distinct, (some) =>
      this.#withToken(endpoints.userInfoBatch, {
        appId,
        body: { user_list: some.map((openid) => ({ openid, lang: 'zh_CN' })) },
        read: toFollowers,
      }),
    );
  }

  /** A page of up to 10,000 followers. 500 calls a day. */
  async userGet({ appId, nextOpenId }: { appId: string; nextOpenId?: string | null }): Promise<FollowerPage> {
    const query: Record<string, string> = nextOpenId ? { next_openid: nextOpenId } : {};
    return this.#withToken(endpoints.userGet, { appId, query, read: toFollowerPage });
  }

  /** The unionId of somebody who paid in this mini program within the last five minutes. */
  async getPaidUnionId({ appId, openId, ...order }: { appId: string; openId: string } & PaidOrder): Promise<string> {
    const named: Record<string, string> =
      'transactionId' in order
        ? { transaction_id: order.transactionId }
        : { mch_id: order.mchId, out_trade_no: order.outTradeNo };
    return this.#withToken(endpoints.getPaidUnionId, {
      appId,
      query: { openid: openId, ...named },
      read: (fields) => requiredId(fields, 'unionid'),
    });
  }

  /**
   * The new openIds after an official account was transferred, asked with the new account. Possible until 15 days after
   * the transfer. `fromAppId`: WeChat's page says original id, developers and SDKs send the appId; either is passed on.
   */
  async changeOpenId(given: {
    appId: string;
    fromAppId: string;
    openIds: readonly string[];
  }): Promise<readonly ChangedOpenId[]> {
    const { appId, fromAppId } = given;
    const openIds = distinctOpenIds(given.openIds);
    if (openIds.length === 0) return [];
    return this.#withToken(endpoints.changeOpenId, {
      appId,
      body: { from_appid: fromAppId, openid_list: openIds },
      fingerprint: fromAppId,
      read: toChangedOpenIds,
    });
  }

  /** What is left today of the calls to one path, as `/cgi-bin/user/info`. */
  async quotaGet({ appId, path }: { appId: string; path: string }): Promise<Quota> {
    return this.#withToken(endpoints.quotaGet, { appId, body: { cgi_path: path }, fingerprint: path, read: toQuota });
  }

  /** Whether a session_key is still the current one of this person. */
  async checkSession(given: { appId: string; openId: string; sessionKey: SecretText }): Promise<boolean> {
    const sessionKey = given.sessionKey.reveal();
    const signature = signWithSession('', sessionKey);
    try {
      return await this.#withToken(endpoints.checkSession, {
        appId: given.appId,
        query: { openid: given.openId, signature, sig_method: 'hmac_sha256' },
        secrets: [sessionKey, signature],
        // Nothing but the number is promised here, so it has to be there.
        read: (fields) => requiredInteger(fields, 'errcode') === 0,
      });
    } catch (error) {
      if (error instanceof WechatError && error.reaction === 'session_stale') return false;
      throw error;
    }
  }

  async #withToken<T>(endpoint: Endpoint, call: Call<T>): Promise<T> {
    return this.#caller.callWithToken(this.#tokens, endpoint, call);
  }

  async #withSecret<T>(endpoint: Endpoint, appId: string, build: (secret: string) => Call<T>): Promise<T> {
    const secret = await this.#secretOf(appId);
    if (secret === null || secret === '') {
      throw new WechatError({
        reaction: 'configuration',
        errcode: null,
        rid: null,
        endpoint: endpoint.path,
        appId,
        detail: 'no secret is set for the app',
        sent: false,
      });
    }
    const call = build(secret);
    return this.#caller.call(endpoint, { ...call, secrets: [secret, ...(call.secrets ?? [])], fingerprint: secret });
  }
}

function distinctOpenIds(openIds: readonly string[]): readonly string[] {
  const distinct = [...new Set(openIds)];
  if (distinct.length > openIdsMax) throw new RangeError(`at most ${openIdsMax} openIds in one call`);
  return distinct;
}
