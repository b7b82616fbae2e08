import { randomBytes } from 'node:crypto';
import { Catch, HttpException, Inject } from '@nestjs/common';
import type { ArgumentsHost, ExceptionFilter } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Logger } from 'pino';
import { WechatRefusal } from './refusal.js';

/** Whose paths these are; everything else is the sandbox's own. */
const wechatPath = /^\/(sns|cgi-bin|wxa)(\/|$)/;
const postOnly = new Set([
  '/cgi-bin/stable_token',
  '/cgi-bin/user/info/batchget',
  '/cgi-bin/changeopenid',
  '/cgi-bin/openapi/quota/get',
  '/cgi-bin/clear_quota',
  '/cgi-bin/clear_quota/v2',
  '/cgi-bin/open/get',
  '/wxa/business/checkencryptedmsg',
]);
const getOnly = new Set([
  '/sns/jscode2session',
  '/sns/oauth2/access_token',
  '/sns/oauth2/refresh_token',
  '/sns/userinfo',
  '/sns/auth',
  '/wxa/checksession',
  '/wxa/resetusersessionkey',
  '/cgi-bin/getcallbackip',
  '/wxa/getpaidunionid',
  '/cgi-bin/token',
  '/cgi-bin/user/get',
  '/cgi-bin/user/info',
]);

export const LOGGER = Symbol('logger');

export function pathOf(request: FastifyRequest): string {
  return request.url.split('?', 1)[0] ?? '/';
}

export function isWechatPath(path: string): boolean {
  return wechatPath.test(path);
}

/** `rid: 65f1a2b3-1c2d3e4f-5a6b7c8d`, the varying end of every errmsg. */
export function refusalBody(refusal: WechatRefusal): string {
  const rid = `${Math.floor(Date.now() / 1000).toString(16)}-${randomBytes(4).toString('hex')}-${randomBytes(4).toString('hex')}`;
  return JSON.stringify({ errcode: refusal.errcode, errmsg: `${refusal.message} rid: ${rid}` });
}

/** WeChat refuses in HTTP 200 and text/plain, whatever it is; the sandbox's own paths answer as HTTP would. */
@Catch()
export class RefusalFilter implements ExceptionFilter {
  constructor(@Inject(LOGGER) private readonly logger: Logger) {}

  catch(error: unknown, host: ArgumentsHost): void {
    const request = host.switchToHttp().getRequest<FastifyRequest>();
    const reply = host.switchToHttp().getResponse<FastifyReply>();
    const path = pathOf(request);
    if (!(error instanceof WechatRefusal) && !(error instanceof HttpException)) {
      this.logger.error({ err: error, path }, 'unexpected');
    }
    if (isWechatPath(path)) {
      void reply
        .status(200)
        .type('text/plain')
        .send(refusalBody(this.#asRefusal(error, path, request.method)));
      return;
    }
    const status = error instanceof HttpException ? error.getStatus() : 500;
    void reply.status(status).send({ error: error instanceof HttpException ? messageOf(error) : 'unexpected' });
  }

  #asRefusal(error: unknown, path: string, method: string): WechatRefusal {
    if (error instanceof WechatRefusal) return error;
    if (!(error instanceof HttpException)) return new WechatRefusal(-1);
    if (error.getStatus() !== 404) return new WechatRefusal(47001);
    if (postOnly.has(path) && method !== 'POST') return new WechatRefusal(43002);
    return new WechatRefusal(getOnly.has(path) ? 43001 : 40066);
  }
}

function messageOf(error: HttpException): unknown {
  const answer = error.getResponse();
  return typeof answer === 'object' && 'message' in answer ? answer.message : answer;
}
