import { Body, Controller, Get, HttpCode, Param, Post, Query } from '@nestjs/common';
import { ApiExtraModels, ApiOkResponse, ApiTags, getSchemaPath } from '@nestjs/swagger';
import type { Caller } from '#identity';
import { Users } from '#identity';
import { CurrentCaller, Needs } from '../access/authentication.guard.js';
import { AsOfQueryDto } from '../request/as-of.dto.js';
import { byId, byNumber, paged, pageOf } from '../request/paging.js';
import { HistoryQueryDto, OpenIdQueryDto, UserLookupDto, UsersQueryDto } from './users.dto.js';
import {
  HistoryPage,
  OpenIdAnswer,
  UserFoundAnswer,
  UserLookupAnswer,
  UserPage,
  UserThenAnswer,
} from './users.answers.dto.js';
import { Refuses } from '../problem/refuses.decorator.js';

@ApiTags('Users')
@Controller('v1/users')
@Needs('read')
export class UsersController {
  constructor(private readonly users: Users) {}

  /** Live users, by any of their marks. Items come without their identities. */
  @Get()
  async list(@CurrentCaller() caller: Caller, @Query() query: UsersQueryDto): Promise<UserPage> {
    const page = pageOf(query, byId);
    const users = await this.users.list({
      unionId: query.unionId,
      openPlatformId: query.openPlatformId,
      appId: query.appId,
      openId: query.openId,
      provisional: query.provisional,
      ...page,
      limit: page.limit + 1,
      entityId: caller.entityId,
      createdFrom: query.createdFrom === undefined ? undefined : new Date(query.createdFrom),
      createdTo: query.createdTo === undefined ? undefined : new Date(query.createdTo),
    });
    const items = users.map(({ identities: _identities, ...user }) => user);
    return paged(items, page.limit, ({ id }) => id);
  }

  /** Whom many ids lead to, or led to at a moment, one answer per question, in order. */
  @Post('lookup')
  @HttpCode(200)
  async lookup(
    @CurrentCaller() caller: Caller,
    @Body() body: UserLookupDto,
    @Query() { asOf }: AsOfQueryDto,
  ): Promise<UserLookupAnswer> {
    const { entityId } = caller;
    const results =
      asOf === undefined
        ? await this.users.lookup(body.ids, entityId)
        : await this.users.lookupAsOf(body.ids, entityId, new Date(asOf));
    return { results };
  }

  /** The live user that this id leads to, however often it was merged; 410 for an erased one. */
  @Get(':userId')
  @Refuses('user_not_found', 'user_erased')
  @ApiExtraModels(UserFoundAnswer, UserThenAnswer)
  @ApiOkResponse({
    schema: { anyOf: [{ $ref: getSchemaPath(UserFoundAnswer) }, { $ref: getSchemaPath(UserThenAnswer) }] },
  })
  async user(
    @CurrentCaller() caller: Caller,
    @Param('userId') userId: string,
    @Query() query: AsOfQueryDto,
  ): Promise<UserFoundAnswer | UserThenAnswer> {
    if (query.asOf !== undefined) return this.users.asOf(userId, caller.entityId, new Date(query.asOf));
    const user = await this.users.live(userId, caller.entityId);
    return user.id === userId ? user : { requestedUserId: userId, ...user };
  }

  /** What happened to this id, newest first: who, why, when, before, after, on what evidence. */
  @Get(':userId/history')
  @Refuses('user_not_found')
  async history(
    @CurrentCaller() caller: Caller,
    @Param('userId') userId: string,
    @Query() query: HistoryQueryDto,
  ): Promise<HistoryPage> {
    const page = pageOf(query, byNumber);
    const { items, keys } = await this.users.history(userId, caller.entityId, {
      includeMerged: query.include === 'merged',
      after: page.after === null ? null : Number(page.after),
      limit: page.limit + 1,
    });
    const rows = items.map((item, index) => ({ item, key: keys[index] ?? 0 }));
    const { items: shown, nextCursor } = paged(rows, page.limit, ({ key }) => String(key));
    return { items: shown.map(({ item }) => item), nextCursor };
  }

  /** The person's openId in a sibling app: what one needs to send them a message there. */
  @Get(':userId/openid')
  @Refuses('user_not_found', 'user_erased', 'identity_not_found')
  openId(
    @CurrentCaller() caller: Caller,
    @Param('userId') userId: string,
    @Query() query: OpenIdQueryDto,
  ): Promise<OpenIdAnswer> {
    return this.users.openIdIn(userId, query.appId, caller.entityId);
  }
}
