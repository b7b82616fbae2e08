import type { CanActivate, ExecutionContext } from '@nestjs/common';
import { applyDecorators, createParamDecorator, Injectable, SetMetadata } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { ApiExtension } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import type { Caller, Scope } from '#identity';
import { ApiKeys, Refusal } from '#identity';
import { RateLimiter } from './rate-limiter.js';

const neededKey = 'unionlink:needs';
/** Where the OpenAPI document says it. */
export const scopeKey = 'x-scope';

/** The scope a route needs; `operator`: only the operator's key; `public`: no key at all. */
export const Needs = (need: Scope | 'operator' | 'public'): MethodDecorator & ClassDecorator =>
  applyDecorators(SetMetadata(neededKey, need), ApiExtension(scopeKey, need));

interface WithCaller extends FastifyRequest {
  caller?: Caller;
}

/** The authenticated caller; never absent on a route that is not public. */
export const CurrentCaller = createParamDecorator((_data: unknown, context: ExecutionContext): Caller => {
  const { caller } = context.switchToHttp().getRequest<WithCaller>();
  if (caller === undefined) throw new Error('a route without a caller asks for one');
  return caller;
});

export function bearerOf({ headers }: FastifyRequest): string | undefined {
  return /^Bearer ([\x21-\x7e]{1,512})$/i.exec(headers.authorization ?? '')?.[1];
}

export function callerOf(request: FastifyRequest): Caller | undefined {
  return (request as WithCaller).caller;
}

/** Shut unless a route says what it needs: a route that forgets to say is a fault of ours, not an open door. */
@Injectable()
export class AuthenticationGuard implements CanActivate {
  constructor(
    private readonly reflector: Reflector,
    private readonly keys: ApiKeys,
    private readonly rates: RateLimiter,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const need = this.reflector.getAllAndOverride<Scope | 'operator' | 'public' | undefined>(neededKey, [
      context.getHandler(),
      context.getClass(),
    ]);
    if (need === 'public') return true;
    const request = context.switchToHttp().getRequest<WithCaller>();
    const bearer = bearerOf(request);
    const caller = bearer === undefined ? null : await this.keys.authenticate(bearer);
    if (caller === null)
      throw new Refusal('unauthenticated', 'a valid API key is needed: Authorization: Bearer <api key>');
    if (need === undefined) throw new Error('this route does not say what it needs');
    if (need === 'operator' ? caller.entityId !== null : !caller.scopes.has(need))
      throw new Refusal(
        'forbidden',
        need === 'operator' ? 'only the operator may do this' : `the scope ${need} is needed`,
      );
    this.rates.take(caller.keyId);
    request.caller = caller;
    return true;
  }
}
