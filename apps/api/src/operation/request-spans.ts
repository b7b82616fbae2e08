import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyRequest } from 'fastify';
import type { Span, Tracer } from '#tracing';
import { parseTraceparent } from '#tracing';

const spans = new WeakMap<FastifyRequest, Span>();
/** Asked every few seconds by machines. */
const untold = new Set(['/livez', '/readyz', '/metrics']);

/** The trace that what this request changes belongs to; null: tracing is off. */
export const spanOf = (request: FastifyRequest): Span | null => spans.get(request) ?? null;

/** A span for each request, named by its route: the path itself may hold an openId. */
export function traceRequests(app: NestFastifyApplication, tracer: Tracer): void {
  const fastify = app.getHttpAdapter().getInstance();
  fastify.addHook('onRequest', (request, _reply, done) => {
    const { url } = request.routeOptions;
    if (url !== undefined && !untold.has(url)) {
      const header = request.headers['traceparent'];
      const parent = parseTraceparent(typeof header === 'string' ? header : null);
      spans.set(request, tracer.start(`${request.method} ${url}`, 'server', parent));
    }
    done();
  });
  // Not before the body was read: its last piece comes in the place of the socket, not of this request.
  fastify.addHook('preValidation', (request, _reply, done) => {
    const span = spanOf(request);
    if (span === null) done();
    else tracer.within(span, done);
  });
  fastify.addHook('onResponse', (request, reply, done) => {
    const status = reply.statusCode;
    spanOf(request)?.end({
      hasFailed: status >= 500,
      attributes: {
        'http.request.method': request.method,
        'http.route': request.routeOptions.url ?? '',
        'http.response.status_code': status,
        'unionlink.request_id': request.id,
      },
    });
    done();
  });
}
