import { Body, Controller, Get, HttpCode, Param, Post, Query, Req } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { ApiExtraModels, ApiOkResponse, ApiTags, getSchemaPath } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import type { Caller, Observation, ResolveAnswer } from '#identity';
import { admit, ObservationDto, Refusal, ResolveObservations, Users } from '#identity';
import { CurrentCaller, Needs } from '../access/authentication.guard.js';
import { problemOf } from '../problem/problem.filter.js';
import { AsOfQueryDto } from '../request/as-of.dto.js';
import type { Asking } from '../request/origin.js';
import { CurrentAsking } from '../request/origin.js';
import { IdentityLookupDto, ResolveBatchDto } from './identities.dto.js';
import {
  IdentityFoundAnswer,
  IdentityLookupAnswer,
  IdentityThenAnswer,
  ResolvedAnswer,
  ResolvedBatchAnswer,
  ResolvedItem,
} from './identities.answers.dto.js';
import { Refuses } from '../problem/refuses.decorator.js';

@ApiTags('Identities')
@Controller('v1/identities')
export class IdentitiesController {
  constructor(
    private readonly commands: CommandBus,
    private readonly users: Users,
  ) {}

  /** Takes one observation, answers with the one live user, and writes down what it taught us. */
  @Post('resolve')
  @HttpCode(200)
  @Needs('ingest')
  @Refuses('app_not_found', 'observation_stale', 'snapshot_user')
  async resolve(@CurrentAsking() asking: Asking, @Body() body: ObservationDto): Promise<ResolvedAnswer> {
    const [answer] = await this.ask([admit(body)], asking);
    if (answer instanceof Refusal) throw answer;
    if (answer === undefined) throw new Error('every observation is answered');
    return answer;
  }

  /** The same for many, in the order asked; one bad item spoils no other. */
  @Post('resolve/batch')
  @HttpCode(200)
  @Needs('ingest')
  async resolveBatch(
    @CurrentAsking() asking: Asking,
    @Body() body: ResolveBatchDto,
    @Req() request: FastifyRequest,
  ): Promise<ResolvedBatchAnswer> {
    const admitted = body.items.map((item) => admittedOrRefused(item));
    const good = admitted.filter((item): item is Observation => !(item instanceof Refusal));
    const answers = (await this.ask(good, asking)).values();
    const results = admitted.map((item, index): ResolvedItem => {
      const answer = item instanceof Refusal ? item : answers.next().value;
      if (answer === undefined) throw new Error('every observation is answered');
      return answer instanceof Refusal
        ? { index, status: 'error', problem: problemOf(answer, request.id) }
        : { index, status: 'ok', ...answer };
    });
    return { results };
  }

  /** Whom many identities lead to, one answer per question, in order. */
  @Post('lookup')
  @HttpCode(200)
  @Needs('read')
  async lookup(@CurrentCaller() caller: Caller, @Body() body: IdentityLookupDto): Promise<IdentityLookupAnswer> {
    return { results: await this.users.lookupIdentities(body.identities, caller.entityId) };
  }

  /** The identity and its live user; with `asOf` whoever held it then, as they were. */
  @Get(':appId/:openId')
  @Needs('read')
  @Refuses('identity_not_found')
  @ApiExtraModels(IdentityFoundAnswer, IdentityThenAnswer)
  @ApiOkResponse({
    schema: { anyOf: [{ $ref: getSchemaPath(IdentityFoundAnswer) }, { $ref: getSchemaPath(IdentityThenAnswer) }] },
  })
  identity(
    @CurrentCaller() caller: Caller,
    @Param('appId') appId: string,
    @Param('openId') openId: string,
    @Query() { asOf }: AsOfQueryDto,
  ): Promise<IdentityFoundAnswer | IdentityThenAnswer> {
    const { entityId } = caller;
    if (asOf !== undefined) return this.users.byIdentityAsOf({ appId, openId }, entityId, new Date(asOf));
    return this.users.byIdentity(appId, openId, entityId);
  }

  private ask(observations: readonly Observation[], asking: Asking): Promise<ResolveAnswer[]> {
    const asker = { ...asking.origin('observation'), entityId: asking.caller.entityId };
    return this.commands.execute(new ResolveObservations(observations, asker));
  }
}

function admittedOrRefused(item: unknown): Observation | Refusal {
  try {
    return admit(item);
  } catch (error) {
    if (error instanceof Refusal) return error;
    throw error;
  }
}
