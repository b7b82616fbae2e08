import { Controller, Get, Header, HttpCode, Param, Post, Req } from '@nestjs/common';
import { ApiProduces, ApiTags } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import { Pushes } from '#identity';
import type { PushQuery } from '#wechat';
import { Needs } from '../access/authentication.guard.js';
import { Refuses } from '../problem/refuses.decorator.js';

export const pushRoute = '/v1/wechat/push/:appId';
/** Where the server keeps the Content-Type that WeChat sent: the body is taken as bytes whatever it says. */
export const pushContentTypeHeader = 'x-wechat-push-content-type';

/** WeChat's message push. No bearer: WeChat's own signature says who it is. */
@ApiTags('WeChat push')
@Controller(pushRoute)
@Needs('public')
export class PushController {
  constructor(private readonly pushes: Pushes) {}

  /** WeChat checks the URL when it is saved in the console. */
  @Get()
  @Header('content-type', 'text/plain; charset=utf-8')
  @ApiProduces('text/plain')
  @Refuses('app_not_found', 'push_signature_invalid')
  verify(@Param('appId') appId: string, @Req() request: FastifyRequest): Promise<string> {
    return this.pushes.verify(appId, queryOf(request));
  }

  /** Stored before it is answered `success`; deduplicated; handled after. */
  @Post()
  @HttpCode(200)
  @Header('content-type', 'text/plain; charset=utf-8')
  @ApiProduces('text/plain')
  @Refuses('app_not_found', 'push_signature_invalid', 'payload_too_large')
  async receive(@Param('appId') appId: string, @Req() request: FastifyRequest): Promise<string> {
    const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
    const given = request.headers[pushContentTypeHeader];
    const contentType = typeof given === 'string' ? given : null;
    await this.pushes.receive({ appId, query: queryOf(request), contentType, body });
    return 'success';
  }
}

function queryOf(request: FastifyRequest): PushQuery {
  return typeof request.query === 'object' && request.query !== null ? { ...request.query } : {};
}
