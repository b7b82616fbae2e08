import type { DynamicModule, OnApplicationShutdown } from '@nestjs/common';
import { Inject } from '@nestjs/common';
import { APP_FILTER } from '@nestjs/core';
import type { Logger } from 'pino';
import { AppsController } from './control/apps.controller.js';
import { Faults } from './control/faults.js';
import { FaultsController } from './control/faults.controller.js';
import { PeopleController } from './control/people.controller.js';
import { HealthController } from './health.controller.js';
import { PageController } from './page/page.controller.js';
import { Pusher } from './push/pusher.js';
import { Desk } from './wechat/desk.js';
import { FollowersController } from './wechat/followers.controller.js';
import { LoginController } from './wechat/login.controller.js';
import { LOGGER, RefusalFilter } from './wechat/manners.js';
import { SessionController } from './wechat/session.controller.js';
import { TokenController } from './wechat/token.controller.js';

/** A WeChat for people without one. */
export class SandboxModule implements OnApplicationShutdown {
  constructor(@Inject(Pusher) private readonly pusher: Pusher) {}

  static register(logger: Logger): DynamicModule {
    return {
      module: SandboxModule,
      controllers: [
        LoginController,
        SessionController,
        TokenController,
        FollowersController,
        AppsController,
        PeopleController,
        FaultsController,
        HealthController,
        PageController,
      ],
      providers: [
        Desk,
        Faults,
        { provide: LOGGER, useValue: logger },
        { provide: Pusher, useFactory: (desk: Desk) => new Pusher(desk, logger), inject: [Desk] },
        { provide: APP_FILTER, useClass: RefusalFilter },
      ],
    };
  }

  async onApplicationShutdown(): Promise<void> {
    await this.pusher.close();
  }
}
