import type { CallHandler, ExecutionContext, NestInterceptor } from '@nestjs/common';
import { Injectable } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { lastValueFrom, of } from 'rxjs';
import type { Observable } from 'rxjs';
import type { IdempotentRequest } from '#identity';
import { Idempotency, Refusal } from '#identity';
import type { Claim } from '#store';
import { callerOf } from '../access/authentication.guard.js';
import { cloudHeadersOf, cloudHostingPath } from '../logins/cloud-hosting.js';
import { problemOf } from '../problem/problem.filter.js';

const keyPattern = /^[\x21-\x7e]{1,255}$/;
const header = 'idempotency-key';

/** `Idempotency-Key` on every state-changing POST and DELETE: one execution, one recorded answer. */
@Injectable()
export class IdempotencyInterceptor implements NestInterceptor {
  constructor(private readonly idempotency: Idempotency) {}

  async intercept(context: ExecutionContext, next: CallHandler): Promise<Observable<unknown>> {
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    const reply = context.switchToHttp().getResponse<FastifyReply>();
    const idempotent = requestOf(request);
    if (idempotent === null) return next.handle();
    const begun = await this.idempotency.begin(idempotent);
    if ('claim' in begun) return of(await this.execute(begun, next, request, reply));
    void reply.header('idempotency-replayed', 'true').status(begun.status);
    if (begun.status >= 400) void reply.type('application/problem+json; charset=utf-8');
    return of(begun.body ?? undefined);
  }

  private async execute(
    claim: Claim,
    next: CallHandler,
    request: FastifyRequest,
    reply: FastifyReply,
  ): Promise<unknown> {
    const work = (): Promise<unknown> => lastValueFrom(next.handle(), { defaultValue: undefined });
    const executed = await this.idempotency.execute(claim, work).then(
      (body) => ({ body }),
      (error: unknown) => ({ error }),
    );
    if ('body' in executed) {
      await this.idempotency.settle(claim, { status: reply.statusCode, body: executed.body });
      return executed.body;
    }
    const { error } = executed;
    const problem = error instanceof Refusal ? problemOf(error, request.id) : null;
    await this.idempotency.settle(claim, { status: problem?.status ?? 500, body: problem });
    throw error;
  }
}

/** Null: no key, or nothing that changes state. */
function requestOf(request: FastifyRequest): IdempotentRequest | null {
  const key = request.headers[header];
  if (key === undefined || (request.method !== 'POST' && request.method !== 'DELETE')) return null;
  const caller = callerOf(request);
  if (caller === undefined) return null;
  if (typeof key !== 'string' || !keyPattern.test(key))
    throw new Refusal('invalid_request', 'Idempotency-Key must be 1 to 255 visible characters', {
      errors: [{ path: header, message: 'must be 1 to 255 visible characters' }],
    });
  const { method, url, body } = request;
  const said = request.routeOptions.url === cloudHostingPath ? { body, headers: cloudHeadersOf(request) } : body;
  return { entityId: caller.entityId, key, method, url, body: said };
}
