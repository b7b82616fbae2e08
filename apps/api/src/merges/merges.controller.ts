import { Body, Controller, Get, HttpCode, Param, Post, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { Caller } from '#identity';
import { Answers, MergeCases, Merges, MergeViews, Refusal, Reverts } from '#identity';
import { CurrentCaller, Needs } from '../access/authentication.guard.js';
import type { Asking } from '../request/origin.js';
import { CurrentAsking } from '../request/origin.js';
import { byId, paged, pageOf } from '../request/paging.js';
import {
  AnswerAboutMergeDto,
  MergeDto,
  MergePreviewDto,
  MergesQueryDto,
  OptionalReasonDto,
  ReasonDto,
} from './merges.dto.js';
import { MergeAnswer, MergePage, MergePreviewAnswer, MergesAnswer, RevertAnswer } from './merges.answers.dto.js';
import { Refuses } from '../problem/refuses.decorator.js';

@ApiTags('Merges')
@Controller('v1/merges')
@Needs('merge')
export class MergesController {
  constructor(
    private readonly merges: Merges,
    private readonly reverts: Reverts,
    private readonly views: MergeViews,
    private readonly cases: MergeCases,
    private readonly answers: Answers,
  ) {}

  /** What would happen, per source, with counts and a token that fails once the world changed. Changes nothing. */
  @Post('preview')
  @HttpCode(200)
  @Refuses('user_not_found', 'user_erased', 'user_merged')
  preview(@CurrentCaller() caller: Caller, @Body() body: MergePreviewDto): Promise<MergePreviewAnswer> {
    return this.merges.preview({
      targetUserId: body.targetUserId,
      sourceUserIds: body.sourceUserIds,
      allowDifferentUnionIds: body.allowDifferentUnionIds ?? false,
      entityId: caller.entityId,
    });
  }

  /**
   * Folds the sources into the target, with an outcome per source. Where participants consent to merges the outcome is
   * `pending_consent`: they are asked by `MergeProposed`, and the last `accept` commits it, or the approval, if that comes
   * later. One refusal, or silence until the deadline, and it is `rejected`.
   */
  @Post()
  @HttpCode(200)
  @Refuses('user_not_found', 'user_erased', 'user_merged', 'preview_stale', 'merge_refused')
  async merge(@CurrentAsking() asking: Asking, @Body() body: MergeDto): Promise<MergesAnswer> {
    const results = await this.merges.merge(
      {
        targetUserId: body.targetUserId,
        sourceUserIds: body.sourceUserIds,
        allowDifferentUnionIds: body.allowDifferentUnionIds ?? false,
        entityId: asking.caller.entityId,
        mode: body.mode ?? 'each',
        previewToken: body.previewToken,
        requireApproval: body.requireApproval ?? false,
      },
      asking.origin('admin', body.reason),
    );
    return { results };
  }

  @Get()
  @Needs('read')
  async list(@CurrentCaller() caller: Caller, @Query() query: MergesQueryDto): Promise<MergePage> {
    const page = pageOf(query, byId);
    const filter = { entityId: caller.entityId, status: query.status, userId: query.userId };
    const rows = await this.views.list(filter, { ...page, limit: page.limit + 1 });
    return paged(rows, page.limit, ({ id }) => id);
  }

  @Get(':id')
  @Needs('read')
  @Refuses('merge_not_found')
  get(@CurrentCaller() caller: Caller, @Param('id') id: string): Promise<MergeAnswer> {
    return this.views.get(id, caller.entityId);
  }

  /** By another key than the requester's; before or after the participants that consent have answered. */
  @Post(':id/approve')
  @HttpCode(200)
  @Refuses('merge_not_found', 'merge_stale', 'same_requester')
  async approve(
    @CurrentAsking() asking: Asking,
    @Param('id') id: string,
    @Body() body: OptionalReasonDto,
  ): Promise<MergeAnswer> {
    await this.cases.approve(id, asking.caller.entityId, asking.origin('admin', body.reason ?? null));
    return this.views.get(id, asking.caller.entityId);
  }

  /** Also withdraws a merge that waits for consent. */
  @Post(':id/reject')
  @HttpCode(200)
  @Refuses('merge_not_found', 'merge_stale')
  async reject(
    @CurrentAsking() asking: Asking,
    @Param('id') id: string,
    @Body() body: OptionalReasonDto,
  ): Promise<MergeAnswer> {
    await this.cases.reject(id, asking.caller.entityId, asking.origin('admin', body.reason ?? null));
    return this.views.get(id, asking.caller.entityId);
  }

  /** Undoes this merge; the two are separated. */
  @Post(':id/revert')
  @HttpCode(200)
  @Refuses('merge_not_found', 'merge_stale', 'merge_superseded', { code: 'user_erased', status: 409 })
  async revert(
    @CurrentAsking() asking: Asking,
    @Param('id') id: string,
    @Body() body: ReasonDto,
  ): Promise<RevertAnswer> {
    try {
      return await this.reverts.revert(id, asking.caller.entityId, asking.origin('admin', body.reason));
    } catch (error) {
      // Everywhere else the erased user is what was asked for, and gone; here the merge was, and it is there.
      if (error instanceof Refusal && error.code === 'user_erased')
        throw new Refusal(error.code, error.message, { ...error.details, status: 409 });
      throw error;
    }
  }

  /**
   * A participant has moved its data, or could not; or it consents to a proposed merge, or refuses, with its reason in
   * `detail`. The same as over Kafka. An answer that is late, repeated or not asked for is recorded and changes nothing.
   */
  @Post(':id/acknowledgements')
  @HttpCode(204)
  @Refuses('merge_not_found')
  async acknowledge(
    @CurrentAsking() asking: Asking,
    @Param('id') id: string,
    @Body() body: AnswerAboutMergeDto,
  ): Promise<void> {
    await this.views.get(id, asking.caller.entityId);
    const { participant, status, detail = null } = body;
    await this.answers.refuseForged(asking.caller, participant);
    await this.answers.takeAboutMerge(id, { participant, status, detail }, asking.origin('participant'));
  }
}
