import { Injectable } from '@nestjs/common';
import { Database, readAppFacts, readIdentityFacts } from '#store';
import type { AppFacts } from '#store';
import { Refusal } from '../problem.js';
import { Registry } from '../registry/registry.js';
import { diagnoseApp, diagnoseIdentity } from './diagnosis.decision.js';
import type { Finding, Language } from './findings.js';
import { finding } from './findings.js';

export interface Diagnosis {
  /** `ok`: nothing to say; `no_union_id`; `finding`: there is a unionId and something else to know. */
  readonly status: 'ok' | 'no_union_id' | 'finding';
  readonly findings: readonly Finding[];
}

export interface AppDiagnosis extends Diagnosis {
  readonly counts: {
    readonly identities: number;
    readonly withUnionId: number;
    readonly withoutUnionId: number;
    readonly byReason: Readonly<Record<string, number>>;
    readonly notFollowing: number;
    readonly openConflicts: number;
  };
}

/** Why there is no unionId, or a wrong one: from what the service has seen, without asking anybody. */
@Injectable()
export class Diagnoses {
  constructor(
    private readonly database: Database,
    private readonly registry: Registry,
  ) {}

  async identity(appId: string, openId: string, entityId: string | null, language: Language): Promise<Diagnosis> {
    const app = await this.factsOf(appId, entityId, 'identity_not_found');
    const identity = await readIdentityFacts(this.database, appId, openId);
    if (identity === null) throw new Refusal('identity_not_found', 'no such identity');
    const hasForeignPrefix = app.usualPrefix !== null && !openId.startsWith(app.usualPrefix);
    const codes = diagnoseIdentity({ ...identity, hasForeignPrefix }, app);
    const status = identity.hasKey ? (codes.length === 0 ? 'ok' : 'finding') : 'no_union_id';
    return { status, findings: codes.map((code) => finding(code, language)) };
  }

  async app(appId: string, entityId: string | null, language: Language): Promise<AppDiagnosis> {
    const app = await this.factsOf(appId, entityId, 'app_not_found');
    const codes = diagnoseApp(app);
    const { identities, withUnionId, pending, notFollowing, openConflicts } = app;
    const counts = {
      identities,
      withUnionId,
      withoutUnionId: identities - withUnionId,
      byReason: pending,
      notFollowing,
      openConflicts,
    };
    const status = codes.length === 0 ? 'ok' : withUnionId === 0 ? 'no_union_id' : 'finding';
    return { status, findings: codes.map((code) => finding(code, language)), counts };
  }

  private async factsOf(
    appId: string,
    entityId: string | null,
    unknown: 'app_not_found' | 'identity_not_found',
  ): Promise<AppFacts> {
    const isOwn = await this.registry.isAppOf(appId, entityId);
    const facts = isOwn ? await readAppFacts(this.database, appId) : null;
    if (facts === null) throw new Refusal(unknown, unknown === 'app_not_found' ? 'no such app' : 'no such identity');
    return facts;
  }
}
