import { Controller, Get, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { Caller } from '#identity';
import { Deeds, Refusal } from '#identity';
import { CurrentCaller, Needs } from '../access/authentication.guard.js';
import { Refuses } from '../problem/refuses.decorator.js';
import { byNumber, paged, pageOf } from '../request/paging.js';
import { AuditQueryDto, DeedPage } from './audit.dto.js';

@ApiTags('Registry')
@Controller('v1/audit')
@Needs('admin')
export class AuditController {
  constructor(private readonly deeds: Deeds) {}

  /**
   * Who made, changed, rotated or revoked what: API keys, entities, Open Platform accounts, apps, participants, sessions,
   * signing keys. Newest first. What was done to people is in `GET /v1/users/{userId}/history`.
   */
  @Get()
  @Refuses('entity_not_found')
  async list(@CurrentCaller() caller: Caller, @Query() query: AuditQueryDto): Promise<DeedPage> {
    if (caller.entityId !== null && (query.entityId ?? caller.entityId) !== caller.entityId)
      throw new Refusal('entity_not_found', 'no such entity');
    const { after, limit } = pageOf(query, byNumber);
    const filter = {
      entityId: caller.entityId ?? query.entityId ?? null,
      action: query.action ?? null,
      actor: query.actor ?? null,
      subject: query.subject ?? null,
      from: query.from === undefined ? null : new Date(query.from),
      to: query.to === undefined ? null : new Date(query.to),
    };
    const rows = await this.deeds.list(filter, { after: after === null ? null : Number(after), limit: limit + 1 });
    return paged(rows, limit, ({ id }) => String(id));
  }
}
