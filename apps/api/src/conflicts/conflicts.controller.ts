import { Body, Controller, Get, HttpCode, Param, Post, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { Caller } from '#identity';
import { ConflictDecisions, Conflicts } from '#identity';
import { CurrentCaller, Needs } from '../access/authentication.guard.js';
import { ConflictDecisionDto, ConflictsQueryDto } from '../merges/merges.dto.js';
import type { Asking } from '../request/origin.js';
import { CurrentAsking } from '../request/origin.js';
import { byId, paged, pageOf } from '../request/paging.js';
import { ConflictAnswer, ConflictPage } from './conflicts.answers.dto.js';
import { Refuses } from '../problem/refuses.decorator.js';

@ApiTags('Conflicts')
@Controller('v1/conflicts')
@Needs('read')
export class ConflictsController {
  constructor(
    private readonly conflicts: Conflicts,
    private readonly decisions: ConflictDecisions,
  ) {}

  /** The review queue: kind, parties, evidence, count, likely cause. */
  @Get()
  async list(@CurrentCaller() caller: Caller, @Query() query: ConflictsQueryDto): Promise<ConflictPage> {
    const page = pageOf(query, byId);
    const filter = { entityId: caller.entityId, status: query.status };
    return paged(await this.conflicts.list(filter, { ...page, limit: page.limit + 1 }), page.limit, ({ id }) => id);
  }

  @Get(':id')
  @Refuses('conflict_not_found')
  get(@CurrentCaller() caller: Caller, @Param('id') id: string): Promise<ConflictAnswer> {
    return this.conflicts.get(id, caller.entityId);
  }

  /** Carries out what a human decided; 409 where it was decided or overtaken meanwhile. */
  @Post(':id/resolve')
  @HttpCode(200)
  @Needs('merge')
  @Refuses('conflict_not_found', 'conflict_stale', 'separated', 'too_many_identities', 'last_identity')
  resolve(
    @CurrentAsking() asking: Asking,
    @Param('id') id: string,
    @Body() body: ConflictDecisionDto,
  ): Promise<ConflictAnswer> {
    return this.decisions.decide(id, body.decision, asking.caller.entityId, asking.origin('admin', body.reason));
  }
}
