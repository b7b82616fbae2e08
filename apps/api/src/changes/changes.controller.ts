import { Body, Controller, Delete, Get, HttpCode, Param, Post, Put, Query, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import type { Caller } from '#identity';
import { Answers, Erasures, Links, Participants, Refusal, Separations, Splits } from '#identity';
import { CurrentCaller, Needs } from '../access/authentication.guard.js';
import {
  AcknowledgementDto,
  LinkDto,
  OptionalReasonDto,
  ParticipantDto,
  SeparationDto,
  SplitDto,
} from '../merges/merges.dto.js';
import type { Asking } from '../request/origin.js';
import { authorOf, CurrentAsking } from '../request/origin.js';
import { UserAnswer } from '../users/users.answers.dto.js';
import {
  ErasureAnswer,
  ErasureRequestedAnswer,
  LinkedAnswer,
  ParticipantAnswer,
  SeparationAnswer,
} from './changes.answers.dto.js';
import { Refuses } from '../problem/refuses.decorator.js';
import { CreatesOrChanges } from '../operation/openapi.js';

/** Changes by hand that are not merges: split, link, unlink, separate, erase. */
@ApiTags('Changes')
@Controller('v1')
@Needs('merge')
export class ChangesController {
  constructor(
    private readonly splits: Splits,
    private readonly links: Links,
    private readonly separations: Separations,
    private readonly erasures: Erasures,
    private readonly participants: Participants,
    private readonly answers: Answers,
  ) {}

  /** Chosen identities leave this user and become a new one; the two are separated. */
  @Post('users/:userId/split')
  @Refuses('user_not_found', 'user_erased', 'user_merged', 'identity_not_found', 'last_identity')
  split(@CurrentAsking() asking: Asking, @Param('userId') userId: string, @Body() body: SplitDto): Promise<UserAnswer> {
    const origin = asking.origin('admin', body.reason);
    return this.splits.split(userId, body.identities, asking.caller.entityId, origin);
  }

  /** Links an identity by hand. */
  @Post('identities')
  @CreatesOrChanges()
  @Refuses('app_not_found', 'user_not_found', 'user_erased', 'user_merged', 'identity_owned', 'too_many_identities')
  async link(
    @CurrentAsking() asking: Asking,
    @Body() body: LinkDto,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<LinkedAnswer> {
    const { appId, openId, userId, reason } = body;
    const origin = asking.origin('admin', reason);
    const { created, ...linked } = await this.links.link({ appId, openId }, userId, asking.caller.entityId, origin);
    void reply.status(created ? 201 : 200);
    return linked;
  }

  /** Unlinks an identity by hand: a correction, which later evidence may undo. */
  @Delete('identities/:appId/:openId')
  @Refuses('identity_not_found', 'last_identity')
  unlink(
    @CurrentAsking() asking: Asking,
    @Param('appId') appId: string,
    @Param('openId') openId: string,
    @Query() query: OptionalReasonDto,
  ): Promise<LinkedAnswer> {
    const origin = asking.origin('admin', query.reason ?? null);
    return this.links.unlink({ appId, openId }, asking.caller.entityId, origin);
  }

  /** Decides that two users are two people. Evidence against it opens a conflict. */
  @Put('separations')
  @CreatesOrChanges()
  @Refuses('user_not_found', 'user_erased')
  async separate(
    @CurrentAsking() asking: Asking,
    @Body() body: SeparationDto,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<SeparationAnswer> {
    const origin = asking.origin('admin', body.reason);
    const { created, ...separation } = await this.separations.separate(body.userIds, asking.caller.entityId, origin);
    void reply.status(created ? 201 : 200);
    return separation;
  }

  @Delete('separations/:id')
  @HttpCode(204)
  @Refuses('separation_not_found')
  async removeSeparation(@CurrentCaller() caller: Caller, @Param('id') id: string): Promise<void> {
    await this.separations.remove(id, caller.entityId);
  }

  /** Destroys a person's data; the id answers erased from the moment of this answer. */
  @Delete('users/:userId')
  @HttpCode(202)
  @Needs('admin')
  @Refuses('user_not_found', 'user_merged')
  erase(
    @CurrentAsking() asking: Asking,
    @Param('userId') userId: string,
    @Query() query: OptionalReasonDto,
  ): Promise<ErasureRequestedAnswer> {
    return this.erasures.erase(userId, asking.caller.entityId, asking.origin('admin', query.reason ?? null));
  }

  /** What was destroyed, and which participants confirmed. */
  @Get('erasures/:id')
  @Needs('admin')
  @Refuses('erasure_not_found')
  erasure(@CurrentCaller() caller: Caller, @Param('id') id: string): Promise<ErasureAnswer> {
    return this.erasures.get(id, caller.entityId);
  }

  /** A participant has destroyed its part, or could not; the same as over Kafka. */
  @Post('erasures/:id/acknowledgements')
  @HttpCode(204)
  @Refuses('erasure_not_found')
  async acknowledgeErasure(
    @CurrentCaller() caller: Caller,
    @Param('id') id: string,
    @Body() body: AcknowledgementDto,
  ): Promise<void> {
    await this.erasures.get(id, caller.entityId);
    const { participant, status, detail = null } = body;
    await this.answers.refuseForged(caller, participant);
    await this.participants.acknowledge({ kind: 'erasure', subjectId: id, participant, status, detail });
  }

  /** Registers a consumer that must confirm merges or erasures. */
  @Put('participants/:name')
  @Needs('admin')
  @CreatesOrChanges()
  @Refuses('entity_not_found')
  async participant(
    @CurrentAsking() asking: Asking,
    @Param('name') name: string,
    @Body() body: ParticipantDto,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ParticipantAnswer> {
    if (!/^[a-z0-9-]{1,64}$/.test(name)) throw invalid('name', 'name must be 1 to 64 characters of a-z 0-9 -');
    const { caller } = asking;
    const entityId = body.entityId ?? caller.entityId;
    if (entityId === null) throw invalid('entityId', 'the operator says for which entity');
    if (caller.entityId !== null && caller.entityId !== entityId)
      throw new Refusal('entity_not_found', 'no such entity');
    const settings = {
      acknowledges: body.acknowledges,
      consents: body.consents ?? [],
      answerWithinSeconds: body.answerWithinSeconds,
      overdueAfterSeconds: body.overdueAfterSeconds,
    };
    const { created, value } = await this.participants.put(entityId, name, settings, authorOf(asking));
    void reply.status(created ? 201 : 200);
    return value;
  }
}

function invalid(path: string, message: string): Refusal {
  return new Refusal('invalid_request', message, { errors: [{ path, message }] });
}
