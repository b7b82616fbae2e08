import { Controller, Get, HttpCode, Param, Post, Query, Req } from '@nestjs/common';
import { ApiBody, ApiConsumes, ApiTags } from '@nestjs/swagger';
import { plainToInstance } from 'class-transformer';
import { validateSync } from 'class-validator';
import type { FastifyRequest } from 'fastify';
import type { Caller, ImportRequest } from '#identity';
import { fieldErrors, Imports, Refusal } from '#identity';
import { CurrentCaller, Needs } from '../access/authentication.guard.js';
import type { Asking } from '../request/origin.js';
import { CurrentAsking } from '../request/origin.js';
import { Refuses } from '../problem/refuses.decorator.js';
import { importFormats } from './import-bodies.js';
import { ImportAnswer } from './imports.answers.dto.js';
import { ImportDto, ImportErrorsQueryDto, ImportQueryDto } from './imports.dto.js';

@ApiTags('Imports')
@Controller('v1/imports')
@Needs('admin')
export class ImportsController {
  constructor(private readonly imports: Imports) {}

  /** Takes many lines at once; they are applied in the background. Bad lines are reported, and spoil no other. */
  @Post()
  @HttpCode(202)
  @ApiConsumes('application/json', ...Object.keys(importFormats))
  @ApiBody({ type: ImportDto })
  @Refuses('entity_not_found', 'app_not_found', 'wrong_app_kind')
  create(
    @CurrentAsking() asking: Asking,
    @Query() query: ImportQueryDto,
    @Req() request: FastifyRequest,
  ): Promise<ImportAnswer> {
    return this.imports.create(requestOf(query, request, asking.caller), asking.origin('import'));
  }

  /** How far an import is, and what was wrong with which line; the first 1000 of them. */
  @Get(':id')
  @Refuses('import_not_found')
  get(
    @CurrentCaller() caller: Caller,
    @Param('id') id: string,
    @Query() query: ImportErrorsQueryDto,
  ): Promise<ImportAnswer> {
    return this.imports.get(id, caller.entityId, query.errorsAfter ?? -1);
  }
}

function requestOf(query: ImportQueryDto, request: FastifyRequest, caller: Caller): ImportRequest {
  const type = (request.headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase() ?? '';
  const format = Object.entries(importFormats).find(([name]) => name === type)?.[1] ?? null;
  const body = format === null ? jsonOf(request.body) : {};
  const asked = Object.assign({}, query, body);
  for (const name of ['kind', 'entityId', 'appId', 'dryRun'] as const)
    if (query[name] !== undefined && query[name] !== asked[name])
      throw invalid(name, `${name} is not the same in the query and in the body`);
  const { kind, appId, dryRun = false } = asked;
  if (kind === undefined) throw invalid('kind', 'kind says what the lines are');
  if (kind !== 'followers' && appId !== undefined) throw invalid('appId', 'appId goes with kind followers only');
  const items = 'items' in body ? body.items : undefined;
  if (kind === 'followers' && (format !== null || items !== undefined))
    throw invalid('items', 'followers are pulled from WeChat: there are no lines to send');
  return {
    kind,
    dryRun,
    entityId: entityOf(asked.entityId, caller),
    appId: appId ?? null,
    lines: kind === 'followers' ? null : { format: format ?? 'items', body: format === null ? items : request.body },
  };
}

function jsonOf(body: unknown): ImportDto {
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    throw invalid('body', 'the body must be an object');
  const { items, ...rest } = plainOf(body);
  // The lines are judged one by one: a bad one must not refuse its neighbours.
  const dto = plainToInstance(ImportDto, rest);
  const errors = validateSync(dto, { whitelist: true, forbidNonWhitelisted: true, forbidUnknownValues: true });
  if (errors.length > 0)
    throw new Refusal('invalid_request', 'the request is not valid', { errors: fieldErrors(errors) });
  const given = Object.fromEntries(Object.entries(dto).filter(([, value]) => value !== undefined));
  return items === undefined ? given : Object.assign(given, { items });
}

function plainOf(body: object): Partial<ImportDto> {
  return { ...body };
}

function entityOf(entityId: string | undefined, caller: Caller): string {
  const own = entityId ?? caller.entityId;
  if (own === null) throw invalid('entityId', 'the operator says for which entity');
  if (caller.entityId !== null && caller.entityId !== own) throw new Refusal('entity_not_found', 'no such entity');
  return own;
}

function invalid(path: string, message: string): Refusal {
  return new Refusal('invalid_request', message, { errors: [{ path, message }] });
}
