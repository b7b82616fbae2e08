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
  @ApiProperty({ type: [AcknowledgementAnswer] })
  acknowledgements: readonly AcknowledgementAnswer[];
}

export class RevertAnswer {
  outcome: 'reverted' | 'already_reverted';
  mergeId: string;
  sourceUserId: string;
  targetUserId: string;
}
