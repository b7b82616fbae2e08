import type { DynamicModule } from '@nestjs/common';
import { Module } from '@nestjs/common';
import { APP_FILTER, APP_GUARD, APP_INTERCEPTOR } from '@nestjs/core';
import type { Logger } from 'pino';
import type { IdentityModuleOptions } from '#identity';
import { AwaitedSettings, IdentityModule } from '#identity';
import { Database } from '#store';
import { AuthenticationGuard } from './access/authentication.guard.js';
import { RateLimiter } from './access/rate-limiter.js';
import { AuditController } from './audit/audit.controller.js';
import { ChangesController } from './changes/changes.controller.js';
import { ConflictsController } from './conflicts/conflicts.controller.js';
import { EventDocsController } from './event-docs/event-docs.controller.js';
import { eventDocument } from './event-docs/event-document.js';
import { EventsController } from './events/events.controller.js';
import { EventStreams } from './events/event-streams.js';
import { ExplainController } from './explain/explain.controller.js';
import { IdentitiesController } from './identities/identities.controller.js';
import { ImportsController } from './imports/imports.controller.js';
import { LoginsController } from './logins/logins.controller.js';
import { SessionsController } from './logins/sessions.controller.js';
import { PaymentsController } from './logins/payments.controller.js';
import { MergesController } from './merges/merges.controller.js';
import { Background } from './operation/background.js';
import { Draining } from './operation/draining.js';
import { Metrics } from './operation/metrics.js';
import { OperationController } from './operation/operation.controller.js';
import { Readiness } from './operation/readiness.js';
import { ProblemFilter } from './problem/problem.filter.js';
import { ApiKeysController } from './registry/api-keys.controller.js';
import { RegistryController } from './registry/registry.controller.js';
import { PushController } from './push/push.controller.js';
import { IdempotencyInterceptor } from './request/idempotency.interceptor.js';
import type { ApiSettings } from './settings.js';
import { UsersController } from './users/users.controller.js';

/** The rules may have to wait for the database, and the door is open meanwhile. */
export type ApiIdentityOptions = IdentityModuleOptions & { readonly settings: AwaitedSettings };

@Module({})
export class AppModule {
  static register(
    settings: ApiSettings,
    logger: Logger,
    metrics: Metrics,
    identity: ApiIdentityOptions,
  ): DynamicModule {
    return {
      module: AppModule,
      imports: [IdentityModule.register(identity)],
      controllers: [
        RegistryController,
        ApiKeysController,
        AuditController,
        IdentitiesController,
        UsersController,
        MergesController,
        ConflictsController,
        ChangesController,
        LoginsController,
        PaymentsController,
        SessionsController,
        ExplainController,
        ImportsController,
        PushController,
        EventsController,
        EventDocsController,
        OperationController,
      ],
      providers: [
        { provide: AwaitedSettings, useValue: identity.settings },
        { provide: Metrics, useValue: metrics },
        Draining,
        Readiness,
        Background,
        {
          provide: EventStreams,
          inject: [Database],
          useFactory: (database: Database) => new EventStreams(database, metrics, settings.eventsRetentionDays),
        },
        { provide: 'event document', useFactory: () => eventDocument(settings.kafkaTopicPrefix) },
        { provide: 'logger', useValue: logger },
        { provide: RateLimiter, useValue: new RateLimiter(settings.rateLimitPerKeyPerSecond) },
        { provide: ProblemFilter, useValue: new ProblemFilter(logger) },
        { provide: APP_GUARD, useClass: AuthenticationGuard },
        { provide: APP_INTERCEPTOR, useClass: IdempotencyInterceptor },
        { provide: APP_FILTER, useExisting: ProblemFilter },
      ],
    };
  }
}
