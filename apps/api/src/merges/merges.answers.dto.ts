import { ApiProperty } from '@nestjs/swagger';
import { IdentityAnswer, UnionIdAnswer } from '../users/users.answers.dto.js';

export class MergePreviewResult {
  sourceUserId: string;
  outcome: 'would_merge' | 'already_merged' | 'refused';
  mergedInto?: string;
  /** Why it would be refused. */
  code?: string;
  /** What would move. */
  identities: number;
  unionIds: number;
}

export class MergePreviewAnswer {
  targetUserId: string;
  @ApiProperty({ type: [MergePreviewResult] })
  results: readonly MergePreviewResult[];
  identitiesAfter: number;
  /** Handed to the merge, it refuses to run in another world than the one looked at. */
  previewToken: string;
  /** The participants that would be asked for their consent. */
  @ApiProperty({ type: [String] })
  consents: readonly string[];
}

export class MergeResult {
  sourceUserId: string;
  outcome: 'merged' | 'already_merged' | 'refused' | 'pending_approval' | 'pending_consent';
  mergeId?: string;
  mergedInto?: string;
  /** Why it was refused; further fields name what was in the way. */
  code?: string;
}

export class MergesAnswer {
  @ApiProperty({ type: [MergeResult] })
  results: readonly MergeResult[];
}

export class AcknowledgementAnswer {
  participant: string;
  kind: 'merge' | 'revert' | 'erasure';
  status: 'pending' | 'overdue' | 'done' | 'failed';
  detail: string | null;
  answeredAt: Date | null;
  /** False: nobody waits for it; it was recorded and changes nothing. */
  expected: boolean;
  /** It is missing past its time. */
  overdue: boolean;
}

export class ConsentAnswer {
  participant: string;
  /** `silent`: no answer until the deadline, a refusal; `not_needed`: the merge was decided before it came. */
  status: 'pending' | 'accepted' | 'refused' | 'silent' | 'not_needed';
  reason: string | null;
  deadlineAt: Date;
  answeredAt: Date | null;
}

/** An answer to the question for consent that changed nothing. */
export class IgnoredAnswer {
  participant: string;
  answer: 'accept' | 'refuse';
  /** `unknown`: this participant was not asked. */
  why: 'late' | 'repeated' | 'unknown';
  reason: string | null;
  /** How often it came. */
  count: number;
  firstAt: Date;
  lastAt: Date;
}

export class MergeListItem {
  id: string;
  entityId: string;
  sourceUserId: string;
  targetUserId: string;
  status: 'pending_consent' | 'pending_approval' | 'merged' | 'reverted' | 'rejected' | 'stale';
  automatic: boolean;
  reason: string | null;
  requestedBy: string;
  decidedBy: string | null;
  allowDifferent: boolean;
  evidence: object | null;
  @ApiProperty({ type: [IdentityAnswer] })
  movedIdentities: readonly IdentityAnswer[];
  @ApiProperty({ type: [UnionIdAnswer] })
  movedUnionIds: readonly UnionIdAnswer[];
  sourceVersion: number | null;
  targetVersion: number | null;
  requestedAt: Date;
  mergedAt: Date | null;
  revertedAt: Date | null;
  revertReason: string | null;
  revertedBy: string | null;
}

export class MergePage {
  @ApiProperty({ type: [MergeListItem] })
  items: readonly MergeListItem[];
  nextCursor: string | null;
}

export class MergeAnswer extends MergeListItem {
  needsApproval: boolean;
  approvedBy: string | null;
  /** Why it was rejected or is stale. */
  decisionReason: string | null;
  @ApiProperty({ type: [ConsentAnswer] })
  consents: readonly ConsentAnswer[];
  /** At most 200. */
  @ApiProperty({ type: [IgnoredAnswer] })
  ignoredAnswers: readonly IgnoredAnswer[];
  @ApiProperty({ type: [AcknowledgementAnswer] })
  acknowledgements: readonly AcknowledgementAnswer[];
  /** An acknowledgement is missing past its time. */
  overdue: boolean;
}

export class RevertAnswer {
  outcome: 'reverted' | 'already_reverted';
  mergeId: string;
  sourceUserId: string;
  targetUserId: string;
}
