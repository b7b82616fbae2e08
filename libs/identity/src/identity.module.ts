import type { DynamicModule } from '@nestjs/common';
import { Module } from '@nestjs/common';
import { CqrsModule } from '@nestjs/cqrs';
import { Database } from '#store';
import type { CallReport } from '#wechat';
import { WechatClient } from '#wechat';
import { ApiKeys } from './access/api-keys.js';
import { SharedAppTokens } from './app-token/shared-app-tokens.js';
import { Deeds } from './access/deeds.js';
import { Fingerprints } from './access/fingerprints.js';
import { Idempotency } from './access/idempotency.js';
import { Sealer } from './access/sealer.js';
import { JournalSeals } from './audit/journal-seals.js';
import { Changes } from './change/changes.js';
import { Effects } from './change/effects.js';
import { nobodyCounts, Tally } from './change/tally.js';
import { Conflicts } from './conflict/conflicts.js';
import { ConflictDecisions } from './conflict/decisions.js';
import { BindingWatch } from './diagnosis/binding-watch.js';
import { Diagnoses } from './diagnosis/diagnoses.js';
import { Explanations } from './explain/explanations.js';
import { Erasures } from './erase/erasures.js';
import { FollowerPortions } from './import/follower-portions.js';
import { IdentityPortions } from './import/identity-portions.js';
import { ImportWorker } from './import/import-worker.js';
import { Imports } from './import/imports.js';
import { OpenIdPortions } from './import/open-id-portions.js';
import { RekeyPortions } from './import/re-key-portions.js';
import { Links } from './link/links.js';
import { MergeViews } from './merge/merge-views.js';
import { Merges } from './merge/merges.js';
import { Reverts } from './merge/revert.js';
import { FollowerLookups } from './push/follower-lookups.js';
import { PushWorker } from './push/push-worker.js';
import { Pushes } from './push/pushes.js';
import { Answers } from './participant/answers.js';
import { OverdueAnswers } from './participant/overdue-answers.js';
import { Participants } from './participant/participants.js';
import { MergeCases } from './consent/merge-cases.js';
import { SilentCases } from './consent/silent-cases.js';
import { Separations } from './separate/separations.js';
import { Splits } from './split/splits.js';
import { CloudLogins } from './login/cloud-logins.js';
import { LoginCodes } from './login/login-codes.js';
import { Logins } from './login/logins.js';
import { PaidUnionIds } from './login/paid-union-ids.js';
import { Revocations } from './login/revocations.js';
import { Sessions } from './login/sessions.js';
import { SigningKeys } from './login/signing-keys.js';
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
  /** Left out: nobody counts. */
  readonly tally?: Tally;
  readonly wechat: { readonly baseUrl: string; readonly onCall: (report: CallReport) => void };
}

/** Everything this room can do, a class each; Nest puts them together. */
const capabilities = [
  Effects,
  Changes,
  Fingerprints,
  Deeds,
  Resolver,
  ResolveObservationsHandler,
  Users,
  Registry,
  AppReview,
  Merges,
  MergeViews,
  Reverts,
  Participants,
  Answers,
  OverdueAnswers,
  MergeCases,
  SilentCases,
  Splits,
  Links,
  Separations,
  Conflicts,
  ConflictDecisions,
  Erasures,
  LoginCodes,
  Logins,
  PaidUnionIds,
  CloudLogins,
  Sessions,
  Revocations,
  Idempotency,
  Diagnoses,
  BindingWatch,
  Explanations,
  Pushes,
  PushWorker,
  FollowerLookups,
  JournalSeals,
  Imports,
  ImportWorker,
  IdentityPortions,
  RekeyPortions,
  OpenIdPortions,
  FollowerPortions,
];

/** Who is this, and may these two be one? Knows neither HTTP nor Kafka nor the environment. */
@Module({})
export class IdentityModule {
  static register(options: IdentityModuleOptions): DynamicModule {
    const keys = new ApiKeys(options.database, options.operatorKey);
    return {
      module: IdentityModule,
      global: true,
      imports: [CqrsModule.forRoot()],
      providers: [
        { provide: Database, useValue: options.database },
        { provide: IdentitySettings, useValue: options.settings },
        { provide: Sealer, useValue: options.sealer },
        { provide: Tally, useValue: options.tally ?? nobodyCounts },
        { provide: ApiKeys, useValue: keys },
        {
          provide: SigningKeys,
          useValue: new SigningKeys(options.database, options.sealer, options.settings.signingKeyRotateDays),
        },
        {
          provide: WechatClient,
          inject: [Registry],
          useFactory: (registry: Registry) =>
            new WechatClient({
              baseUrl: options.wechat.baseUrl,
              onCall: options.wechat.onCall,
              tokens: (fetchToken) => new SharedAppTokens(options.database, options.sealer, fetchToken),
              secretOf: async (appId) => (await registry.credentials(appId, null)).appSecret,
            }),
        },
        ...capabilities,
      ],
      exports: [CqrsModule, WechatClient, Database, IdentitySettings, Sealer, ApiKeys, SigningKeys, ...capabilities],
    };
  }
}
