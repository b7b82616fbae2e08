import { Body, Controller, Get, Header, HttpCode, Post } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { ResolveResult } from '#identity';
import { Logins, Sessions } from '#identity';
import { Needs } from '../access/authentication.guard.js';
import type { Asking } from '../request/origin.js';
import { CurrentAsking } from '../request/origin.js';
import { MiniProgramLoginDto, OauthLoginDto } from './logins.dto.js';

@ApiTags('Login')
@Controller()
@Needs('ingest')
export class LoginsController {
  constructor(
    private readonly logins: Logins,
    private readonly sessions: Sessions,
  ) {}

  /** Exchanges the code of `wx.login` with WeChat and resolves. The same code answers the same for a minute. */
  @Post('v1/logins/mini-program')
  @HttpCode(200)
  async miniProgram(@CurrentAsking() asking: Asking, @Body() body: MiniProgramLoginDto): Promise<object> {
    const { appId, code, encryptedData, iv, rawData, signature } = body;
    const data = { encryptedData, iv, rawData, signature };
    return this.withSession(appId, await this.logins.miniProgram(appId, code, data, asker(asking)));
  }

  /** The same for service accounts, website and mobile apps. */
  @Post('v1/logins/oauth')
  @HttpCode(200)
  async oauth(@CurrentAsking() asking: Asking, @Body() body: OauthLoginDto): Promise<object> {
    return this.withSession(body.appId, await this.logins.oauth(body.appId, body.code, asker(asking)));
  }

  /** The public keys of login sessions: every sibling checks tokens by itself. */
  @Get('.well-known/jwks.json')
  @Needs('public')
  @Header('cache-control', 'public, max-age=300')
  async keys(): Promise<object> {
    return { keys: await this.sessions.publicKeys() };
  }

  private async withSession(appId: string, result: ResolveResult): Promise<object> {
    return { ...result, session: await this.sessions.issue(result.user, appId) };
  }
}

function asker(asking: Asking) {
  return { ...asking.origin('login'), entityId: asking.caller.entityId };
}
