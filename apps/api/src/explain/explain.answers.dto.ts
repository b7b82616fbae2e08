import { ApiProperty } from '@nestjs/swagger';

export class FindingAnswer {
  code: string;
  title: string;
  detail: string;
  fix: string;
}

export class DiagnosisAnswer {
  status: 'ok' | 'no_union_id' | 'finding';
  @ApiProperty({ type: [FindingAnswer] })
  findings: readonly FindingAnswer[];
}

export class DiagnosisCounts {
  identities: number;
  withUnionId: number;
  withoutUnionId: number;
  /** Identities whose unionId cannot be acted on yet, by why. */
  @ApiProperty({ type: 'object', additionalProperties: { type: 'number' } })
  byReason: Readonly<Record<string, number>>;
  notFollowing: number;
  openConflicts: number;
}

export class AppDiagnosisAnswer extends DiagnosisAnswer {
  counts: DiagnosisCounts;
}

export class ExplanationStepAnswer {
  at: string;
  action: string;
  /** Where the evidence came from. */
  source: string;
  detail: string;
}

export class ExplanationAnswer {
  samePerson: boolean;
  summary: string;
  /** Oldest first. */
  @ApiProperty({ type: [ExplanationStepAnswer] })
  chain: readonly ExplanationStepAnswer[];
}

export class UserCounts {
  live: number;
  provisional: number;
  merged: number;
  erased: number;
}

export class AppCounts {
  appId: string;
  identities: number;
  withUnionId: number;
}

export class MergeCounts {
  merged: number;
  reverted: number;
  pending: number;
}

export class PublishLagAnswer {
  /** Events not yet published. */
  events: number;
  oldestSeconds: number;
}

export class StatsAnswer {
  users: UserCounts;
  @ApiProperty({ type: [AppCounts] })
  apps: readonly AppCounts[];
  merges: MergeCounts;
  openConflicts: number;
  publishLag: PublishLagAnswer;
}
