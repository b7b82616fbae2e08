import { BadRequestException, Body, Controller, Get, HttpCode, Inject, Param, Post, Put, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { Desk } from '../wechat/desk.js';
import { AppDto, BindDto, ClockDto, FollowersDto, MigrationDto, QuotaDto } from './apps.dto.js';
import { appAt } from './lookup.js';
import { appView, stateView } from './view.js';

const appIdPattern = /^[A-Za-z0-9_-]{1,64}$/;

/** Sets the stage: apps, bindings, transfers, quotas and time. */
@Controller('_control')
export class AppsController {
  constructor(@Inject(Desk) private readonly desk: Desk) {}

  @Put('apps/:appId')
  putApp(@Param('appId') appId: string, @Body() body: AppDto, @Res({ passthrough: true }) reply: FastifyReply): object {
    if (!appIdPattern.test(appId)) throw new BadRequestException('appId: letters, digits, _ and -, up to 64');
    const { push } = body;
    if (push && push.mode !== 'plain' && !push.encodingAesKey) {
      throw new BadRequestException('push.encodingAesKey: needed unless the mode is plain');
    }
    const isNew = this.desk.world.putApp(appId, {
      kind: body.kind,
      name: body.name ?? appId,
      secret: body.secret ?? body.appSecret ?? null,
      openPlatform: body.openPlatform ?? body.openPlatformId ?? null,
      verified: body.verified ?? true,
      ...(body.originalId !== undefined && { originalId: body.originalId }),
      push: push
        ? {
            url: push.url,
            token: push.token,
            mode: push.mode,
            encodingAesKey: push.encodingAesKey ?? null,
            format: push.format ?? 'xml',
          }
        : null,
    });
    void reply.status(isNew ? 201 : 200);
    return appView(appAt(this.desk.world, appId));
  }

  @Post('bind')
  @HttpCode(200)
  bind(@Body() body: BindDto): object {
    const app = appAt(this.desk.world, body.appId);
    this.desk.world.putApp(body.appId, { ...app, openPlatform: body.openPlatform ?? body.openPlatformId ?? null });
    return appView(appAt(this.desk.world, body.appId));
  }

  /** Follows without pushes, many at once: an account that had followers before anybody listened. */
  @Post('followers')
  @HttpCode(200)
  followers(@Body() { appId, people }: FollowersDto): object {
    const app = appAt(this.desk.world, appId);
    const openIds = people.map((person) => {
      app.followers.set(person, app.followers.get(person) ?? this.desk.clock.seconds());
      return this.desk.world.meet(app, person);
    });
    return { openIds };
  }

  /** Approves the transfer of an official account: changeopenid answers for the next 15 days. */
  @Post('migrations')
  @HttpCode(200)
  migrate(@Body() { fromAppId, toAppId }: MigrationDto): object {
    const [source, target] = [appAt(this.desk.world, fromAppId), appAt(this.desk.world, toAppId)];
    const followers = new Set(source.followers.keys());
    this.desk.world.migrations.push({ fromAppId, toAppId, approvedAt: this.desk.clock.now(), followers });
    for (const person of followers) {
      this.desk.world.meet(target, person);
      target.followers.set(person, this.desk.clock.seconds());
    }
    source.followers.clear();
    return { fromAppId, toAppId, followers: followers.size };
  }

  @Post('clock')
  @HttpCode(200)
  advance(@Body() { advanceSeconds }: ClockDto): object {
    this.desk.clock.advance(advanceSeconds * 1000);
    return { now: new Date(this.desk.clock.now()).toISOString() };
  }

  @Post('quotas')
  @HttpCode(200)
  quota(@Body() { appId, endpoint, used }: QuotaDto): object {
    this.desk.quotas.set(endpoint, appAt(this.desk.world, appId).appId, used);
    return { appId, endpoint, used };
  }

  @Get('state')
  state(): object {
    return stateView(this.desk);
  }
}
