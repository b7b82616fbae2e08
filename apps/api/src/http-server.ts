import { randomUUID } from 'node:crypto';
import { ValidationPipe } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Logger } from 'pino';
import type { AwaitedSettings } from '#identity';
import { fieldErrors, Refusal } from '#identity';
import type { Tracer } from '#tracing';
import { pushBodyMaxBytes } from '#wechat';
import type { ApiIdentityOptions } from './app.module.js';
import { AppModule } from './app.module.js';
import { takeImportFiles } from './imports/import-bodies.js';
import { Draining } from './operation/draining.js';
import type { Metrics } from './operation/metrics.js';
import { serveOpenApi } from './operation/openapi.js';
import { traceRequests } from './operation/request-spans.js';
import { ProblemFilter, problemOf } from './problem/problem.filter.js';
import { pushContentTypeHeader, pushRoute } from './push/push.controller.js';
import type { ApiSettings } from './settings.js';

const bodyMaxBytes = 1024 * 1024;
const batchBodyMaxBytes = 8 * 1024 * 1024;
const batchRoutes = /\/(batch|lookup|imports)$/;
/** Long enough for a busy client to use each of its connections once more. */
const drainMs = 500;
const closeIdleEveryMs = 100;
const needsTheDatabase = /^\/(v1|\.well-known)\//;
const requestIdPattern = /^[\x21-\x7e]{1,128}$/;

function adapterFor(): FastifyAdapter {
  const adapter = new FastifyAdapter({
    bodyLimit: bodyMaxBytes,
    requestIdHeader: false,
    genReqId: (request: { headers: Record<string, string | string[] | undefined> }) => {
      const given = request.headers['x-request-id'];
      return typeof given === 'string' && requestIdPattern.test(given) ? given : randomUUID();
    },
    // What still comes on open connections while we are stopping is answered.
    return503OnClosing: false,
    forceCloseConnections: false,
    routerOptions: { maxParamLength: 300 },
    frameworkErrors: answerUnroutable,
  });
  // JSON is all that most of this API reads; Fastify's own parser refuses __proto__ and does not know forms.
  adapter.getInstance().removeContentTypeParser('text/plain');
  takePushesAsBytes(adapter);
  takeImportFiles(adapter);
  adapter.getInstance().addHook('onRoute', (route) => {
    if (batchRoutes.test(route.url)) route.bodyLimit = batchBodyMaxBytes;
  });
  return adapter;
}

/** Such as `%ff` in a path: no filter of Nest's sees what Fastify cannot even route. */
function answerUnroutable(_error: unknown, request: FastifyRequest, reply: FastifyReply): void {
  refuseUrl('the URL could not be read', request, reply);
}

/** No id has control characters, PostgreSQL cannot even be asked for U+0000, and logs would be broken by line ends. */
function refuseControlCharacters(request: FastifyRequest, reply: FastifyReply, done: () => void): void {
  if (/\p{Cc}/u.test(Object.values(request.params ?? {}).join(''))) {
    refuseUrl('the path holds control characters', request, reply);
    return;
  }
  done();
}

function refuseUrl(message: string, request: FastifyRequest, reply: FastifyReply): void {
  const problem = problemOf(new Refusal('invalid_request', message), request.id);
  const headers = { 'x-request-id': request.id, 'content-type': 'application/problem+json; charset=utf-8' };
  // Already a text: this early no serializer has been set up for objects.
  void reply.status(problem.status).headers(headers).send(JSON.stringify(problem));
}

/** A push is XML or JSON whatever its Content-Type says, and its signature is about the bytes: it is not parsed here. */
function takePushesAsBytes(adapter: FastifyAdapter): void {
  const asPush = 'application/x-wechat-push';
  const fastify = adapter.getInstance();
  fastify.addContentTypeParser(asPush, { parseAs: 'buffer', bodyLimit: pushBodyMaxBytes }, (_request, body, done) =>
    done(null, body),
  );
  fastify.addHook('onRequest', (request, _reply, done) => {
    // The route, not the URL: that may be written in other ways, such as /v1/wechat/%70ush/.
    if (request.method === 'POST' && request.routeOptions.url === pushRoute) {
      request.headers[pushContentTypeHeader] = request.headers['content-type'] ?? '';
      request.headers['content-type'] = asPush;
    }
    done();
  });
}

/** The API, wired and not yet listening. */
export async function createApi(
  settings: ApiSettings,
  logger: Logger,
  metrics: Metrics,
  identity: ApiIdentityOptions,
  tracer: Tracer | null,
): Promise<NestFastifyApplication> {
  const app = await NestFactory.create<NestFastifyApplication>(
    AppModule.register(settings, logger, metrics, identity),
    adapterFor(),
    { logger: nestLogger(logger), abortOnError: false, bodyParser: false },
  );
  app.useGlobalPipes(
    new ValidationPipe({
      transform: true,
      whitelist: true,
      forbidNonWhitelisted: true,
      forbidUnknownValues: true,
      exceptionFactory: (errors) =>
        new Refusal('invalid_request', 'the request is not valid', { errors: fieldErrors(errors) }),
    }),
  );
  const fastify = app.getHttpAdapter().getInstance();
  fastify.addHook('onRequest', (request, reply, done) => {
    void reply.header('x-request-id', request.id);
    done();
  });
  if (tracer !== null) traceRequests(app, tracer);
  fastify.addHook('onRequest', refuseControlCharacters);
  waitForTheDatabase(app, identity.settings);
  fastify.addHook('onResponse', (request, reply, done) => {
    const route = request.routeOptions.url ?? 'unknown';
    metrics.request(request.method, route, reply.statusCode, reply.elapsedTime / 1000);
    logger.debug(
      { requestId: request.id, method: request.method, route, status: reply.statusCode, ms: reply.elapsedTime },
      'request',
    );
    done();
  });
  letGoOfConnections(app);
  serveOpenApi(app);
  return app;
}

/** Started while the database is away: it turns, says so, and everything that would need the database is told to come again. */
function waitForTheDatabase(app: NestFastifyApplication, rules: AwaitedSettings): void {
  const problems = app.get(ProblemFilter);
  const away = new Refusal('unavailable', 'the service has not reached its database yet');
  app
    .getHttpAdapter()
    .getInstance()
    .addHook('onRequest', (request, reply, done) => {
      if (rules.isLoaded || !needsTheDatabase.test(request.url)) done();
      else problems.send(away, request, reply);
    });
}

/**
 * On stopping, the door is closed at once, and a connection goes with the answer it waits for. One that is idle stays for a
 * moment: Node would close it with the door, and a client that had just sent its next request on it would lose that.
 */
function letGoOfConnections(app: NestFastifyApplication): void {
  const fastify = app.getHttpAdapter().getInstance();
  const { server } = fastify;
  const draining = app.get(Draining);
  const closeIdle = server.closeIdleConnections.bind(server);
  server.closeIdleConnections = () => undefined;
  fastify.addHook('preClose', (done) => {
    draining.isStopping = true;
    setTimeout(() => setInterval(closeIdle, closeIdleEveryMs).unref(), drainMs).unref();
    done();
  });
  fastify.addHook('onSend', (_request, reply, payload, done) => {
    if (draining.isStopping) void reply.header('connection', 'close');
    done(null, payload);
  });
}

/** Nest's own lines, in our log. */
function nestLogger(
  logger: Logger,
): Record<'log' | 'error' | 'warn' | 'debug' | 'verbose' | 'fatal', (message: unknown) => void> {
  const write =
    (level: 'info' | 'error' | 'warn' | 'debug' | 'trace' | 'fatal') =>
    (message: unknown): void =>
      logger[level](message instanceof Error ? { err: message } : { nest: String(message) }, 'framework');
  return {
    log: write('debug'),
    error: write('error'),
    warn: write('warn'),
    debug: write('trace'),
    verbose: write('trace'),
    fatal: write('fatal'),
  };
}
