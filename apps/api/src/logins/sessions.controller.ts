import { Body, Controller, Get, HttpCode, Post, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { Caller } from '#identity';
import { Refusal, Revocations } from '#identity';
import { CurrentCaller, Needs } from '../access/authentication.guard.js';
import { Refuses } from '../problem/refuses.decorator.js';
import type { Asking } from '../request/origin.js';
import { authorOf, CurrentAsking } from '../request/origin.js';
import { RevocationAnswer, RevocationsAnswer } from './logins.answers.dto.js';
import { RevocationRequestDto, RevocationsQueryDto } from './sessions.dto.js';

/** Sessions that count no more though they have not expired. */
@ApiTags('Login')
@Controller('v1/sessions/revocations')
@Needs('admin')
export class SessionsController {
  constructor(private readonly revocations: Revocations) {}

  /**
   * Revokes everything that was issued to a user until now, under whichever of the person's ids, or one token. Verifiers
   * notice with their next look at the list.
   */
  @Post()
  @HttpCode(200)
  @Refuses('user_not_found', 'user_erased', 'entity_not_found')
  revoke(@CurrentAsking() asking: Asking, @Body() body: RevocationRequestDto): Promise<RevocationAnswer> {
    const { caller } = asking;
    const { userId, jti } = body;
    if ((userId === undefined) === (jti === undefined)) throw invalid('userId', 'either userId or jti is needed');
    if (userId !== undefined)
      return this.revocations.revokeUser(userId.toLowerCase(), caller.entityId, authorOf(asking));
    const entityId = body.entityId ?? caller.entityId;
    if (entityId === null) throw invalid('entityId', 'the operator says for which entity');
    if (caller.entityId !== null && entityId !== caller.entityId)
      throw new Refusal('entity_not_found', 'no such entity');
    return this.revocations.revokeToken((jti ?? '').toLowerCase(), entityId, authorOf(asking));
  }

  /**
   * What was revoked, for verifiers to poll: `issuedBefore` is compared with a token's `iat`. Entries leave when the last
   * token they mean has expired. `nextCursor` is never null: ask again with `since`; repeats are possible, gaps are not.
   */
  @Get()
  @Needs('read')
  list(@CurrentCaller() caller: Caller, @Query() query: RevocationsQueryDto): Promise<RevocationsAnswer> {
    return this.revocations.list(query.since ?? null, caller.entityId);
  }
}

function invalid(path: string, message: string): Refusal {
  return new Refusal('invalid_request', message, { errors: [{ path, message }] });
}
