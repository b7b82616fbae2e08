import { Body, Controller, Get, Header, HttpCode, Post, Req } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import type { ResolveResult } from '#identity';
import { CloudLogins, Logins, Sessions, SigningKeys } from '#identity';
import { Needs } from '../access/authentication.guard.js';
import type { Asking } from '../request/origin.js';
import { CurrentAsking } from '../request/origin.js';
import { cloudHeadersOf, cloudHostingPath } from './cloud-hosting.js';
import { CloudHostingLoginDto, MiniProgramLoginDto, OauthLoginDto } from './logins.dto.js';
import { KeysAnswer, LoginAnswer } from './logins.answers.dto.js';
import { Refuses } from '../problem/refuses.decorator.js';

@ApiTags('Login')
@Controller()
@Needs('ingest')
export class LoginsController {
  constructor(
    private readonly logins: Logins,
    private readonly cloud: CloudLogins,
    private readonly sessions: Sessions,
    private readonly signingKeys: SigningKeys,
  ) {}

  /** Exchanges the code of `wx.login` with WeChat and resolves. The same code answers the same for a minute. */
  @Post('v1/logins/mini-program')
  @HttpCode(200)
  @Refuses(
    'app_not_found',
    'wrong_app_kind',
    'code_invalid',
    'wechat_user_blocked',
    'snapshot_user',
    'wechat_throttled',
    'wechat_unavailable',
    'wechat_misconfigured',
    'encrypted_data_invalid',
  )
  async miniProgram(@CurrentAsking() asking: Asking, @Body() body: MiniProgramLoginDto): Promise<LoginAnswer> {
    const { appId, code, encryptedData, iv, rawData, signature } = body;
    const data = { encryptedData, iv, rawData, signature };
    return this.withSession(appId, await this.logins.miniProgram(appId, code, data, asker(asking)));
  }

  /** The same for service accounts, website and mobile apps. */
  @Post('v1/logins/oauth')
  @HttpCode(200)
  @Refuses(
    'app_not_found',
    'wrong_app_kind',
    'code_invalid',
    'wechat_user_blocked',
    'snapshot_user',
    'wechat_throttled',
    'wechat_unavailable',
    'wechat_misconfigured',
  )
  async oauth(@CurrentAsking() asking: Asking, @Body() body: OauthLoginDto): Promise<LoginAnswer> {
    return this.withSession(body.appId, await this.logins.oauth(body.appId, body.code, asker(asking)));
  }

  /**
   * For back ends in WeChat's cloud hosting, with the `X-WX-…` headers of the caller's request passed on as they came:
   * WeChat names the person there, so there is no code. Only for apps whose registry entry says `cloudHosting`.
   */
  @Post(cloudHostingPath)
  @HttpCode(200)
  @Refuses('app_not_found', 'wrong_app_kind', 'cloud_hosting_off', 'cloud_headers_invalid', 'observation_stale')
  async cloudHosting(
    @CurrentAsking() asking: Asking,
    @Body() body: CloudHostingLoginDto,
    @Req() request: FastifyRequest,
  ): Promise<LoginAnswer> {
    const result = await this.cloud.login(body.appId, cloudHeadersOf(request), asker(asking));
    return this.withSession(body.appId, result);
  }

  /**
   * The public keys of login sessions: every sibling checks tokens by itself. A new key is here an hour before it signs, an
   * old one until its last token has expired.
   */
  @Get('.well-known/jwks.json')
  @Needs('public')
  @Header('cache-control', 'public, max-age=300')
  async keys(): Promise<KeysAnswer> {
    return { keys: await this.signingKeys.published() };
  }

  private async withSession(appId: string, result: ResolveResult): Promise<LoginAnswer> {
    return { ...result, session: await this.sessions.issue(result.user, appId) };
  }
}

function asker(asking: Asking) {
  return { ...asking.origin('login'), entityId: asking.caller.entityId };
}
