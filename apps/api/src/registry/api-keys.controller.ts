import { Body, Controller, Delete, Get, HttpCode, Param, Post, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { Caller } from '#identity';
import { ApiKeys, isUserId, Refusal } from '#identity';
import { CurrentCaller, Needs } from '../access/authentication.guard.js';
import { byId, paged, PageQueryDto, pageOf } from '../request/paging.js';
import { ApiKeyRequestDto } from './registry.dto.js';
import { ApiKeyMadeAnswer, ApiKeyPage } from './registry.answers.dto.js';
import { Refuses } from '../problem/refuses.decorator.js';

@ApiTags('Registry')
@Controller('v1/api-keys')
@Needs('admin')
export class ApiKeysController {
  constructor(private readonly keys: ApiKeys) {}

  /** Makes a key. `key` is shown this once: only its digest is kept. */
  @Post()
  @Refuses('entity_not_found')
  create(@CurrentCaller() caller: Caller, @Body() body: ApiKeyRequestDto): Promise<ApiKeyMadeAnswer> {
    const entityId = body.entityId ?? caller.entityId;
    if (caller.entityId !== null && entityId !== caller.entityId)
      throw new Refusal('entity_not_found', 'no such entity');
    if (body.scopes.length === 0)
      throw new Refusal('invalid_request', 'a key needs at least one scope', {
        errors: [{ path: 'scopes', message: 'a key needs at least one scope' }],
      });
    return this.keys.create({
      entityId,
      name: body.name,
      scopes: body.scopes,
      expiresAt: body.expiresAt === undefined ? null : new Date(body.expiresAt),
    });
  }

  @Get()
  async list(@CurrentCaller() caller: Caller, @Query() query: PageQueryDto): Promise<ApiKeyPage> {
    const page = pageOf(query, byId);
    return paged(await this.keys.list(caller.entityId, { ...page, limit: page.limit + 1 }), page.limit, ({ id }) => id);
  }

  @Delete(':id')
  @HttpCode(204)
  @Refuses('api_key_not_found')
  async revoke(@CurrentCaller() caller: Caller, @Param('id') id: string): Promise<void> {
    if (!isUserId(id)) throw new Refusal('api_key_not_found', 'no such API key');
    await this.keys.revoke(id, caller.entityId);
  }
}
