import { Body, Controller, Get, Param, Put, Query, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import type { AppView, Caller, Named } from '#identity';
import { Refusal, Registry } from '#identity';
import { CurrentCaller, Needs } from '../access/authentication.guard.js';
import type { Asking } from '../request/origin.js';
import { authorOf, CurrentAsking } from '../request/origin.js';
import { byName, paged, PageQueryDto, pageOf } from '../request/paging.js';
import { AppDto, appIdPattern, NameDto, slug } from './registry.dto.js';
import {
  AppAnswer,
  AppPage,
  EntityAnswer,
  EntityPage,
  OpenPlatformAnswer,
  OpenPlatformPage,
} from './registry.answers.dto.js';
import { Refuses } from '../problem/refuses.decorator.js';
import { CreatesOrChanges } from '../operation/openapi.js';

/** Entities, their Open Platform accounts and their apps. */
@ApiTags('Registry')
@Controller('v1/entities')
@Needs('admin')
export class RegistryController {
  constructor(private readonly registry: Registry) {}

  /** Registers or renames an entity. */
  @Put(':entityId')
  @Needs('operator')
  @CreatesOrChanges()
  async putEntity(
    @CurrentAsking() asking: Asking,
    @Param('entityId') entityId: string,
    @Body() body: NameDto,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<EntityAnswer> {
    const id = named(slug, 'entityId', entityId);
    return answer(reply, await this.registry.putEntity(id, body.name, authorOf(asking)), entityView);
  }

  @Get()
  async entities(@CurrentCaller() caller: Caller, @Query() query: PageQueryDto): Promise<EntityPage> {
    const page = pageOf(query, byName);
    const rows = await this.registry.entities({ ...page, limit: page.limit + 1 }, caller.entityId);
    return paged(rows.map(entityView), page.limit, (entity) => entity.entityId);
  }

  @Get(':entityId')
  @Refuses('entity_not_found')
  async entity(@CurrentCaller() caller: Caller, @Param('entityId') entityId: string): Promise<EntityAnswer> {
    return entityView(await this.registry.entity(own(caller, entityId)));
  }

  /** Registers or renames an Open Platform account: a namespace of unionIds. */
  @Put(':entityId/open-platforms/:openPlatformId')
  @CreatesOrChanges()
  @Refuses('entity_not_found')
  async putOpenPlatform(
    @CurrentAsking() asking: Asking,
    @Param('entityId') entityId: string,
    @Param('openPlatformId') openPlatformId: string,
    @Body() body: NameDto,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<OpenPlatformAnswer> {
    const entity = own(asking.caller, entityId);
    const id = named(slug, 'openPlatformId', openPlatformId);
    return answer(reply, await this.registry.putOpenPlatform(entity, id, body.name, authorOf(asking)), (row) =>
      openPlatformView(entity, row),
    );
  }

  @Get(':entityId/open-platforms')
  @Refuses('entity_not_found')
  async openPlatforms(
    @CurrentCaller() caller: Caller,
    @Param('entityId') entityId: string,
    @Query() query: PageQueryDto,
  ): Promise<OpenPlatformPage> {
    const entity = own(caller, entityId);
    const page = pageOf(query, byName);
    const rows = await this.registry.openPlatforms(entity, { ...page, limit: page.limit + 1 });
    return paged(
      rows.map((row) => openPlatformView(entity, row)),
      page.limit,
      (row) => row.openPlatformId,
    );
  }

  @Get(':entityId/open-platforms/:openPlatformId')
  @Refuses('entity_not_found', 'open_platform_not_found')
  async openPlatform(
    @CurrentCaller() caller: Caller,
    @Param('entityId') entityId: string,
    @Param('openPlatformId') openPlatformId: string,
  ): Promise<OpenPlatformAnswer> {
    const entity = own(caller, entityId);
    return openPlatformView(entity, await this.registry.openPlatform(entity, openPlatformId));
  }

  /** Registers or changes an app. A changed openPlatformId declares a rebind. */
  @Put(':entityId/apps/:appId')
  @CreatesOrChanges()
  @Refuses('entity_not_found', 'open_platform_not_found', 'app_id_taken')
  async putApp(
    @CurrentAsking() asking: Asking,
    @Param('entityId') entityId: string,
    @Param('appId') appId: string,
    @Body() body: AppDto,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<AppAnswer> {
    const entity = own(asking.caller, entityId);
    const id = named(appIdPattern, 'appId', appId);
    return answer(reply, await this.registry.putApp(entity, id, body, authorOf(asking)), appView);
  }

  @Get(':entityId/apps')
  @Refuses('entity_not_found')
  async apps(
    @CurrentCaller() caller: Caller,
    @Param('entityId') entityId: string,
    @Query() query: PageQueryDto,
  ): Promise<AppPage> {
    const page = pageOf(query, byName);
    const rows = await this.registry.apps(own(caller, entityId), { ...page, limit: page.limit + 1 });
    return paged(rows.map(appView), page.limit, (app) => app.appId);
  }

  @Get(':entityId/apps/:appId')
  @Refuses('entity_not_found', 'app_not_found')
  async app(
    @CurrentCaller() caller: Caller,
    @Param('entityId') entityId: string,
    @Param('appId') appId: string,
  ): Promise<AppAnswer> {
    return appView(await this.registry.app(own(caller, entityId), appId));
  }
}

/** A key of another entity gets the answer of an entity that is not there. */
function own(caller: Caller, entityId: string): string {
  if (!slug.test(entityId) || (caller.entityId !== null && caller.entityId !== entityId))
    throw new Refusal('entity_not_found', 'no such entity');
  return entityId;
}

function named(pattern: RegExp, path: string, value: string): string {
  if (!pattern.test(value)) {
    const message = `${path} must match ${pattern.source}`;
    throw new Refusal('invalid_request', message, { errors: [{ path, message }] });
  }
  return value;
}

function answer<T, View>(reply: FastifyReply, put: { created: boolean; value: T }, view: (value: T) => View): View {
  void reply.status(put.created ? 201 : 200);
  return view(put.value);
}

function entityView({ id, name, createdAt, updatedAt }: Named): EntityAnswer {
  return { id, entityId: id, name, createdAt, updatedAt };
}

function openPlatformView(entityId: string, { id, name, createdAt, updatedAt }: Named): OpenPlatformAnswer {
  return { id, openPlatformId: id, entityId, name, createdAt, updatedAt };
}

function appView({ id, ...app }: AppView): AppAnswer {
  return { id, appId: id, ...app };
}
