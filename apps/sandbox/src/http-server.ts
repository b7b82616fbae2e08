import { setTimeout as pause } from 'node:timers/promises';
import { ValidationPipe } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Logger } from 'pino';
import { Faults } from './control/faults.js';
import type { Fault } from './control/faults.js';
import { SandboxModule } from './sandbox.module.js';
import { Desk } from './wechat/desk.js';
import { isWechatPath, pathOf, refusalBody } from './wechat/manners.js';
import { WechatRefusal } from './wechat/refusal.js';

const bodyMaxBytes = 1024 * 1024;

/** The sandbox over HTTP, wired and not yet listening. */
export async function createServer(logger: Logger): Promise<NestFastifyApplication> {
  const adapter = new FastifyAdapter({ bodyLimit: bodyMaxBytes, forceCloseConnections: true });
  const app = await NestFactory.create<NestFastifyApplication>(SandboxModule.register(logger), adapter, {
    bodyParser: false,
    logger: false,
    abortOnError: false,
  });
  app.useGlobalPipes(new ValidationPipe({ transform: true, whitelist: true, forbidNonWhitelisted: true }));
  readAnyJson(app);
  addHooks(app, app.get(Desk), app.get(Faults), logger);
  return app;
}

/** WeChat reads JSON whatever the Content-Type says, and calls everything else 47001. */
function readAnyJson(app: NestFastifyApplication): void {
  const fastify = app.getHttpAdapter().getInstance();
  fastify.removeAllContentTypeParsers();
  fastify.addContentTypeParser('*', { parseAs: 'string' }, (_request, body, done) => {
    try {
      done(null, JSON.parse(String(body)));
    } catch {
      done(null, String(body));
    }
  });
}

function addHooks(app: NestFastifyApplication, desk: Desk, faults: Faults, logger: Logger): void {
  const fastify = app.getHttpAdapter().getInstance();
  const met = new WeakMap<FastifyRequest, Fault>();
  fastify.addHook('onRequest', async (request, reply) => {
    if (!isForeignPage(request)) return undefined;
    return reply.status(403).send({ error: 'the control API does not answer the pages of other sites' });
  });
  fastify.addHook('preHandler', async (request, reply) => {
    const path = pathOf(request);
    if (!isWechatPath(path)) return undefined;
    const fault = faults.take(path, appIdOf(request, desk));
    if (fault === undefined) return undefined;
    met.set(request, fault);
    return misbehave(fault, reply);
  });
  fastify.addHook('onSend', async (request, reply, payload: unknown) => {
    const path = pathOf(request);
    if (!isWechatPath(path)) return payload;
    const fault = met.get(request);
    const errcode = fault === undefined || isAnswer(fault) ? errcodeOf(payload) : null;
    const appId = appIdOf(request, desk);
    const entry = { at: new Date(desk.clock.now()).toISOString(), endpoint: path, appId, errcode };
    desk.journal.call({ ...entry, fault: fault?.kind ?? null });
    logger.info({ endpoint: path, appId, errcode, fault: fault?.kind }, 'call');
    if (fault?.kind === 'lost-answer') reply.raw.socket?.destroy();
    // JSON under the wrong name, as WeChat sends it.
    if (fault === undefined || isAnswer(fault)) void reply.type('text/plain');
    return payload;
  });
}

/** A browser sends any site's plain POST here without asking; what it may not do is hide where the page came from. */
function isForeignPage({ headers: { origin, host } }: FastifyRequest): boolean {
  return origin !== undefined && (!URL.canParse(origin) || new URL(origin).host !== host);
}

function isAnswer(fault: Fault): boolean {
  return fault.kind === 'errcode' || fault.kind === 'slow' || fault.kind === 'lost-answer';
}

/** Anything returned is the answer; undefined lets the call go on. */
async function misbehave(fault: Fault, reply: FastifyReply): Promise<FastifyReply | undefined> {
  switch (fault.kind) {
    case 'errcode':
      return reply.status(200).send(refusalBody(new WechatRefusal(fault.errcode)));
    case 'http':
      return reply.status(fault.status).type('text/html').send('<html><body>error</body></html>');
    case 'html':
      return reply.status(200).type('text/html').send('<html><body>please wait</body></html>');
    case 'empty':
      return reply.status(200).send('');
    case 'reset':
      reply.raw.socket?.resetAndDestroy();
      return reply.hijack();
    case 'timeout':
      await pause(fault.delayMs, undefined, { ref: false });
      reply.raw.socket?.destroy();
      return reply.hijack();
    case 'slow':
      await pause(fault.delayMs, undefined, { ref: false });
      return undefined;
    case 'lost-answer':
      return undefined;
  }
}

function appIdOf(request: FastifyRequest, desk: Desk): string | null {
  const query = request.query as Readonly<Record<string, unknown>>;
  const body = request.body as Readonly<Record<string, unknown>> | null | undefined;
  const named = query['appid'] ?? body?.['appid'];
  if (typeof named === 'string') return named;
  const accessToken = query['access_token'];
  if (typeof accessToken !== 'string') return null;
  const found = desk.tokens.appOf(accessToken);
  if ('value' in found) return found.value;
  const grant = desk.tokens.grantOf(accessToken);
  return 'value' in grant ? grant.value.appId : null;
}

function errcodeOf(payload: unknown): number | null {
  try {
    const answer = JSON.parse(String(payload)) as { errcode?: number };
    return answer.errcode ?? 0;
  } catch {
    return null;
  }
}
