import { ApiProperty } from '@nestjs/swagger';
import { AcknowledgementAnswer } from '../merges/merges.answers.dto.js';
import { IdentityAnswer, UserAnswer } from '../users/users.answers.dto.js';

export class LinkedAnswer {
  identity: IdentityAnswer;
  user: UserAnswer;
}

export class SeparationAnswer {
  id: string;
  @ApiProperty({ type: [String] })
  userIds: readonly string[];
}

export class ErasureRequestedAnswer {
  erasureId: string;
}

export class DestroyedCounts {
  identities: number;
  unionIds: number;
  /** Ids that had been merged into this user. */
  aliases: number;
}

export class ErasureAnswer {
  id: string;
  userId: string;
  reason: string | null;
  actor: string;
  requestedAt: Date;
  destroyed: DestroyedCounts;
  @ApiProperty({ type: [AcknowledgementAnswer] })
  acknowledgements: readonly AcknowledgementAnswer[];
  /** One of them is missing past its time. */
  overdue: boolean;
}

export class ParticipantAnswer {
  name: string;
  entityId: string;
  @ApiProperty({ enum: ['merge', 'erasure'], isArray: true })
  acknowledges: readonly ('merge' | 'erasure')[];
  @ApiProperty({ enum: ['merge'], isArray: true })
  consents: readonly 'merge'[];
  answerWithinSeconds: number;
  overdueAfterSeconds: number;
  createdAt: Date;
}
