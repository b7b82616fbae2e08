import { Controller, Get, Headers, Param, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { IsString, Matches } from 'class-validator';
import type { Caller } from '#identity';
import { Diagnoses, Explanations, languageOf } from '#identity';
import { Database, readRelayLag, readStats } from '#store';
import { CurrentCaller, Needs } from '../access/authentication.guard.js';
import { AppDiagnosisAnswer, DiagnosisAnswer, ExplanationAnswer, StatsAnswer } from './explain.answers.dto.js';
import { Refuses } from '../problem/refuses.decorator.js';

const identity = /^[A-Za-z0-9_-]{1,128}:[A-Za-z0-9_-]{1,128}$/;

export class ExplainQueryDto {
  /** `{appId}:{openId}` */
  @IsString()
  @Matches(identity, { message: 'a must be {appId}:{openId}' })
  a: string;

  /** `{appId}:{openId}` */
  @IsString()
  @Matches(identity, { message: 'b must be {appId}:{openId}' })
  b: string;
}

@ApiTags('Explain')
@Controller('v1')
@Needs('read')
export class ExplainController {
  constructor(
    private readonly explanations: Explanations,
    private readonly diagnoses: Diagnoses,
    private readonly database: Database,
  ) {}

  /** Are these one person, and why or why not: the chain of evidence, oldest first. */
  @Get('explain')
  @Refuses('identity_not_found')
  explain(
    @CurrentCaller() caller: Caller,
    @Query() query: ExplainQueryDto,
    @Headers('accept-language') language: string | undefined,
  ): Promise<ExplanationAnswer> {
    return this.explanations.explain(ref(query.a), ref(query.b), caller.entityId, languageOf(language));
  }

  /** Why there is no unionId, or a wrong one, and what to do. */
  @Get('identities/:appId/:openId/diagnosis')
  @Refuses('identity_not_found')
  identity(
    @CurrentCaller() caller: Caller,
    @Param('appId') appId: string,
    @Param('openId') openId: string,
    @Headers('accept-language') language: string | undefined,
  ): Promise<DiagnosisAnswer> {
    return this.diagnoses.identity(appId, openId, caller.entityId, languageOf(language));
  }

  /** The same for a whole app, with counts. */
  @Get('apps/:appId/diagnosis')
  @Refuses('app_not_found')
  app(
    @CurrentCaller() caller: Caller,
    @Param('appId') appId: string,
    @Headers('accept-language') language: string | undefined,
  ): Promise<AppDiagnosisAnswer> {
    return this.diagnoses.app(appId, caller.entityId, languageOf(language));
  }

  /** Users, identities and unionId coverage by app, merges, open conflicts, publish lag. */
  @Get('stats')
  async stats(@CurrentCaller() caller: Caller): Promise<StatsAnswer> {
    const [stats, publishLag] = await Promise.all([
      readStats(this.database, caller.entityId),
      readRelayLag(this.database),
    ]);
    return { ...stats, publishLag };
  }
}

function ref(text: string): { appId: string; openId: string } {
  const at = text.indexOf(':');
  return { appId: text.slice(0, at), openId: text.slice(at + 1) };
}
