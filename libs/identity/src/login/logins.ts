import { Injectable } from '@nestjs/common';
import { isRawDataGenuine, readUserData, WechatClient } from '#wechat';
import type { MiniProgramLogin, OauthLogin } from '#wechat';
import { Refusal } from '../problem.js';
import type { AppKind } from '../registry/registry.js';
import { Registry } from '../registry/registry.js';
import type { ResolveResult } from '../resolve/resolve-one.js';
import type { Asker } from '../resolve/resolver.js';
import { Resolver } from '../resolve/resolver.js';
import { LoginCodes } from './login-codes.js';
import { asLoginRefusal } from './wechat-refusal.js';

/** What a mini-program's client may send along with its code. A second source: it can confirm, never link. */
export interface ClientData {
  readonly encryptedData?: string | undefined;
  readonly iv?: string | undefined;
  readonly rawData?: string | undefined;
  readonly signature?: string | undefined;
}

const miniProgramKinds: readonly AppKind[] = ['mini_program', 'mini_game'];
const oauthKinds: readonly AppKind[] = ['service_account', 'website_app', 'mobile_app'];

/** Exchanges a code with WeChat, with no transaction open, and resolves what WeChat says. Secrets end here. */
@Injectable()
export class Logins {
  constructor(
    private readonly wechat: WechatClient,
    private readonly registry: Registry,
    private readonly resolver: Resolver,
    private readonly codes: LoginCodes,
  ) {}

  async miniProgram(appId: string, code: string, data: ClientData, asker: Asker): Promise<ResolveResult> {
    await this.requireKind(appId, asker.entityId, miniProgramKinds);
    return this.codes.once(appId, code, async () => {
      const login = await asked(() => this.wechat.code2session({ appId, code }));
      const unconfirmed = checkClientData(appId, login, data);
      const { openId, unionId } = login;
      return this.resolver.resolveOne(
        unionId === null && unconfirmed !== null
          ? { appId, openId, unionId: unconfirmed, source: 'encrypted_data', observedAt: null }
          : { appId, openId, unionId, source: 'code2session', observedAt: null },
        asker,
      );
    });
  }

  async oauth(appId: string, code: string, asker: Asker): Promise<ResolveResult> {
    await this.requireKind(appId, asker.entityId, oauthKinds);
    return this.codes.once(appId, code, async () => {
      const login = await asked(() => this.wechat.oauthAccessToken({ appId, code }));
      if (login.isSnapshotUser)
        throw new Refusal(
          'snapshot_user',
          'WeChat answered with a snapshot user, whose ids are made up: ask the person to open the full page',
        );
      const unionId = login.unionId ?? (await this.unionIdOf(appId, login));
      const { openId, scopes } = login;
      const source = scopes.includes('snsapi_login')
        ? 'oauth_login'
        : scopes.includes('snsapi_userinfo')
          ? 'oauth_userinfo'
          : 'oauth_base';
      return this.resolver.resolveOne({ appId, openId, unionId, source, observedAt: null }, asker);
    });
  }

  private async requireKind(appId: string, entityId: string | null, kinds: readonly AppKind[]): Promise<void> {
    const { kind } = await this.registry.credentials(appId, entityId);
    if (!kinds.includes(kind))
      throw new Refusal('wrong_app_kind', `an app of kind ${kind} does not log people in this way`);
  }

  /** Asked only where it can add a unionId; a person is logged in without it, so its failure is no failure. */
  private async unionIdOf(appId: string, login: OauthLogin): Promise<string | null> {
    if (!login.scopes.some((scope) => scope === 'snsapi_userinfo' || scope === 'snsapi_login')) return null;
    try {
      const user = await this.wechat.snsUserInfo({ appId, openId: login.openId, accessToken: login.accessToken });
      return user.openId === login.openId ? user.unionId : null;
    } catch {
      return null;
    }
  }
}

async function asked<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw asLoginRefusal(error);
  }
}

/** The six checks of WeChat's encryptedData. Answers a unionId that only the client's data named, or null. */
function checkClientData(appId: string, login: MiniProgramLogin, data: ClientData): string | null {
  const sessionKey = login.sessionKey.reveal();
  if (data.rawData !== undefined || data.signature !== undefined) {
    const { rawData = '', signature = '' } = data;
    if (signature === '' || !isRawDataGenuine({ rawData, signature, sessionKey }))
      throw invalid('the signature does not fit');
  }
  if (data.encryptedData === undefined && data.iv === undefined) return null;
  const { encryptedData = '', iv = '' } = data;
  const { openId, unionId } = login;
  const read = readUserData({ encryptedData, iv }, { appId, openId, unionId, sessionKey });
  if (!read.ok) throw invalid(`encryptedData is ${read.reason}`);
  return read.unconfirmedUnionId;
}

function invalid(why: string): Refusal {
  return new Refusal(
    'encrypted_data_invalid',
    `${why}: nothing was stored; call wx.login first, then fetch the data, and send both together`,
  );
}
