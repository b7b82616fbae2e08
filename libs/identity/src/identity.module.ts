import type { DynamicModule } from '@nestjs/common';
import { Module } from '@nestjs/common';
import { CqrsModule } from '@nestjs/cqrs';
import { Database } from '#store';
import { ApiKeys } from './access/api-keys.js';
import { Sealer } from './access/sealer.js';
import { Changes } from './change/changes.js';
import { Users } from './lookup/users.js';
import { AppReview } from './registry/app-review.js';
import { Registry } from './registry/registry.js';
import { ResolveObservationsHandler } from './resolve/resolve.command.js';
import { Resolver } from './resolve/resolver.js';
import { IdentitySettings } from './settings.js';

export interface IdentityModuleOptions {
  readonly database: Database;
  readonly settings: IdentitySettings;
  readonly sealer: Sealer;
  /** Null where no operator key is set. */
  readonly operatorKey: string | null;
}

/** Who is this, and may these two be one? Knows neither HTTP nor Kafka nor the environment. */
@Module({})
export class IdentityModule {
  static register(options: IdentityModuleOptions): DynamicModule {
    const capabilities = [Changes, Resolver, Users, Registry, AppReview, ResolveObservationsHandler];
    const keys = new ApiKeys(options.database, options.operatorKey);
    return {
      module: IdentityModule,
      global: true,
      imports: [CqrsModule.forRoot()],
      providers: [
        { provide: Database, useValue: options.database },
        { provide: IdentitySettings, useValue: options.settings },
        { provide: Sealer, useValue: options.sealer },
        { provide: ApiKeys, useValue: keys },
        ...capabilities,
      ],
      exports: [CqrsModule, Database, IdentitySettings, Sealer, ApiKeys, ...capabilities],
    };
  }
}
