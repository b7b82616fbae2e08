import { Body, Controller, Delete, Get, HttpCode, Param, Post, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { Caller } from '#identity';
import { ApiKeys, isUserId, Refusal } from '#identity';
import { CurrentCaller, Needs } from '../access/authentication.guard.js';
import type { Asking } from '../request/origin.js';
import { authorOf, CurrentAsking } from '../request/origin.js';
import { byId, paged, pageOf } from '../request/paging.js';
import { ApiKeyRequestDto, ApiKeyRotationDto, ApiKeysQueryDto, graceSecondsDefault } from './registry.dto.js';
import { ApiKeyMadeAnswer, ApiKeyPage, ApiKeyRotatedAnswer } from './registry.answers.dto.js';
import { Refuses } from '../problem/refuses.decorator.js';

@ApiTags('Registry')
@Controller('v1/api-keys')
@Needs('admin')
export class ApiKeysController {
  constructor(private readonly keys: ApiKeys) {}

  /** Makes a key. `key` is shown this once: only its digest is kept. */
  @Post()
  @Refuses('entity_not_found')
  create(@CurrentAsking() asking: Asking, @Body() body: ApiKeyRequestDto): Promise<ApiKeyMadeAnswer> {
    const { caller } = asking;
    const entityId = body.entityId ?? caller.entityId;
    if (caller.entityId !== null && entityId !== caller.entityId)
      throw new Refusal('entity_not_found', 'no such entity');
    if (body.scopes.length === 0)
      throw new Refusal('invalid_request', 'a key needs at least one scope', {
        errors: [{ path: 'scopes', message: 'a key needs at least one scope' }],
      });
    const expiresAt = body.expiresAt === undefined ? null : new Date(body.expiresAt);
    const { name, scopes, participant = null } = body;
    if (participant !== null && entityId === null)
      throw new Refusal('invalid_request', 'a participant is one of an entity: say which', {
        errors: [{ path: 'entityId', message: 'a participant is one of an entity: say which' }],
      });
    return this.keys.create({ entityId, name, scopes, expiresAt, participant }, authorOf(asking));
  }

  /**
   * A new key with the same rights, shown this once; the old one goes on for `graceSeconds`, so that its users can change
   * over without a gap.
   */
  @Post(':id/rotate')
  @Refuses('api_key_not_found', 'api_key_rotated')
  rotate(
    @CurrentAsking() asking: Asking,
    @Param('id') id: string,
    @Body() body: ApiKeyRotationDto,
  ): Promise<ApiKeyRotatedAnswer> {
    if (!isUserId(id)) throw new Refusal('api_key_not_found', 'no such API key');
    return this.keys.rotate(id, asking.caller.entityId, body.graceSeconds ?? graceSecondsDefault, authorOf(asking));
  }

  /** Keys that are not revoked, oldest first; `prefix` finds whose key it is that turned up somewhere. */
  @Get()
  async list(@CurrentCaller() caller: Caller, @Query() query: ApiKeysQueryDto): Promise<ApiKeyPage> {
    const page = { ...pageOf(query, byId), prefix: query.prefix ?? null };
    return paged(await this.keys.list(caller.entityId, { ...page, limit: page.limit + 1 }), page.limit, ({ id }) => id);
  }

  @Delete(':id')
  @HttpCode(204)
  @Refuses('api_key_not_found')
  async revoke(@CurrentAsking() asking: Asking, @Param('id') id: string): Promise<void> {
    if (!isUserId(id)) throw new Refusal('api_key_not_found', 'no such API key');
    await this.keys.revoke(id, asking.caller.entityId, authorOf(asking));
  }
}
