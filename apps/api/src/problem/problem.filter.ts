import type { ArgumentsHost, ExceptionFilter } from '@nestjs/common';
import { Catch, HttpException } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Refusal } from '#identity';
import { isUnavailable } from '#store';
import type { Logger } from 'pino';
import { problems } from './problem-table.js';

export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: string;
  readonly requestId: string;
  readonly [member: string]: unknown;
}

export function problemOf(refusal: Refusal, requestId: string): Problem {
  const { status, title } = problems[refusal.code];
  return {
    type: `https://unionlink.dev/errors#${refusal.code}`,
    title,
    status,
    detail: refusal.message,
    code: refusal.code,
    requestId,
    ...refusal.details,
  };
}

/** Seconds after which it is worth asking again. */
const retryAfterSeconds = 2;

/** What Fastify and Nest throw before a route is reached, in our words. */
function asRefusal(error: unknown): Refusal {
  if (error instanceof Refusal) return error;
  if (isUnavailable(error)) return new Refusal('unavailable', 'the service cannot reach its database just now');
  const status =
    error instanceof HttpException
      ? error.getStatus()
      : typeof error === 'object' && error !== null && 'statusCode' in error
        ? error.statusCode
        : 500;
  if (status === 404) return new Refusal('not_found', 'there is no such route');
  if (status === 413) return new Refusal('payload_too_large', 'the body is larger than this route takes');
  if (status === 415) return new Refusal('unsupported_media_type', 'this route takes application/json');
  if (typeof status === 'number' && status >= 400 && status < 500)
    return new Refusal('invalid_request', 'the request could not be read: malformed URL, headers or JSON');
  return new Refusal('internal', 'an unexpected fault; the log has it under this requestId');
}

/** Every error leaves as RFC 9457. Nothing of the cause is shown, so neither a secret nor SQL can be. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  constructor(private readonly logger: Logger) {}

  catch(error: unknown, host: ArgumentsHost): void {
    const request = host.switchToHttp().getRequest<FastifyRequest>();
    const reply = host.switchToHttp().getResponse<FastifyReply>();
    this.send(error, request, reply);
  }

  send(error: unknown, request: FastifyRequest, reply: FastifyReply): void {
    const refusal = asRefusal(error);
    const problem = problemOf(refusal, request.id);
    if (refusal.code === 'internal') this.logger.error({ err: error, requestId: request.id }, 'unexpected fault');
    if (refusal.code === 'unavailable') this.logger.warn({ requestId: request.id }, refusal.message);
    if (refusal.code === 'unavailable' || refusal.code === 'rate_limited' || refusal.code === 'wechat_throttled')
      void reply.header('retry-after', String(Number(refusal.details['retryAfterSeconds'] ?? retryAfterSeconds)));
    if (refusal.code === 'unauthenticated') void reply.header('www-authenticate', 'Bearer');
    void reply.status(problem.status).type('application/problem+json; charset=utf-8').send(problem);
  }
}
