import { createParamDecorator } from '@nestjs/common';
import type { ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import type { Author, Caller, Origin } from '#identity';
import { callerOf } from '../access/authentication.guard.js';
import { spanOf } from '../operation/request-spans.js';

/** Who asks, by which request: carried into every event as its cause. */
export interface Asking {
  readonly caller: Caller;
  origin(cause: Origin['cause'], reason?: string | null): Origin;
}

const traceparent = /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/;

export function askingOf(request: FastifyRequest): Asking {
  const caller = callerOf(request);
  if (caller === undefined) throw new Error('a route without a caller asks for one');
  const header = request.headers['traceparent'];
  const given = typeof header === 'string' && traceparent.test(header) ? header : null;
  const trace = spanOf(request)?.traceparent ?? given;
  return {
    caller,
    origin: (cause, reason = null) => ({
      cause,
      actor: caller.actor,
      requestId: request.id,
      traceparent: trace,
      reason,
    }),
  };
}

/** Who is named in the audit of what admins do. */
export function authorOf(asking: Asking): Author {
  const { actor, requestId } = asking.origin('admin');
  return { actor, requestId };
}

export const CurrentAsking = createParamDecorator((_data: unknown, context: ExecutionContext): Asking =>
  askingOf(context.switchToHttp().getRequest<FastifyRequest>()),
);
