import { Type } from 'class-transformer';
import {
  ArrayMaxSize,
  ArrayMinSize,
  IsArray,
  IsBoolean,
  IsIn,
  IsObject,
  IsInt,
  IsString,
  Matches,
  Max,
  MaxLength,
  Min,
  ValidateNested,
} from 'class-validator';
import { IsOptional } from '../request/is-optional.decorator.js';
import { IdentityRefDto } from '../identities/identities.dto.js';
import { PageQueryDto } from '../request/paging.js';
import { IsText } from '../request/text.decorator.js';

export class MergePreviewDto {
  /** Who survives. */
  @IsString()
  @MaxLength(128)
  targetUserId: string;

  /** Who is folded into it; 1–100. */
  @IsArray()
  @ArrayMinSize(1)
  @ArrayMaxSize(100)
  @IsString({ each: true })
  @MaxLength(128, { each: true })
  sourceUserIds: string[];

  /** The override of P4: also where the two hold different unionIds of one Open Platform account. */
  @IsOptional()
  @IsBoolean()
  allowDifferentUnionIds?: boolean;
}

export class MergeDto extends MergePreviewDto {
  @IsText(1000)
  reason: string;

  /** `each` (default): every source by itself; `all`: all or none. */
  @IsOptional()
  @IsIn(['each', 'all'])
  mode?: 'each' | 'all';

  /** From the preview: refused once the world changed. */
  @IsOptional()
  @IsString()
  @MaxLength(200)
  previewToken?: string;

  /** Wait for another key's approval. */
  @IsOptional()
  @IsBoolean()
  requireApproval?: boolean;
}

export class OptionalReasonDto {
  @IsOptional()
  @IsText(1000)
  reason?: string;
}

export class ReasonDto {
  @IsText(1000)
  reason: string;
}

class ParticipantAnswerDto {
  /** The participant's name. */
  @IsString()
  @Matches(/^[a-z0-9-]{1,64}$/, { message: 'participant must be 1 to 64 characters of a-z 0-9 -' })
  participant: string;

  /** Why it failed, or was refused. */
  @IsOptional()
  @IsText(1000)
  detail?: string;
}

export class AcknowledgementDto extends ParticipantAnswerDto {
  @IsIn(['done', 'failed'])
  status: 'done' | 'failed';
}

export class AnswerAboutMergeDto extends ParticipantAnswerDto {
  /** `done` or `failed` once the merge or its undoing is known; `accept` or `refuse` in answer to `MergeProposed`. */
  @IsIn(['done', 'failed', 'accept', 'refuse'])
  status: 'done' | 'failed' | 'accept' | 'refuse';
}

export class MergesQueryDto extends PageQueryDto {
  @IsOptional()
  @IsIn(['pending_consent', 'pending_approval', 'merged', 'reverted', 'rejected', 'stale'])
  status?: string;

  /** Merges that this user was a party of. */
  @IsOptional()
  @IsString()
  @Matches(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/, { message: 'userId must be a user id' })
  userId?: string;
}

export class SplitDto extends ReasonDto {
  @IsArray()
  @ArrayMinSize(1)
  @ArrayMaxSize(1000)
  @IsObject({ each: true })
  @ValidateNested({ each: true })
  @Type(() => IdentityRefDto)
  identities: IdentityRefDto[];
}

export class LinkDto extends IdentityRefDto {
  @IsString()
  @MaxLength(128)
  userId: string;

  @IsText(1000)
  reason: string;
}

export class SeparationDto extends ReasonDto {
  /** The two users. */
  @IsArray()
  @ArrayMinSize(2)
  @ArrayMaxSize(2)
  @IsString({ each: true })
  @MaxLength(128, { each: true })
  userIds: [string, string];
}

export class ConflictsQueryDto extends PageQueryDto {
  @IsOptional()
  @IsIn(['open', 'resolved'])
  status?: 'open' | 'resolved';
}

export class ConflictDecisionDto extends ReasonDto {
  @IsIn(['keep', 'merge', 'move_identity', 'rekey', 'separate'])
  decision: 'keep' | 'merge' | 'move_identity' | 'rekey' | 'separate';
}

export class ParticipantDto {
  /** The operator says which entity; a key of an entity speaks for its own. */
  @IsOptional()
  @IsString()
  @Matches(/^[a-z0-9-]{1,64}$/, { message: 'entityId must be 1 to 64 characters of a-z 0-9 -' })
  entityId?: string;

  @IsArray()
  @ArrayMaxSize(2)
  @IsIn(['merge', 'erasure'], { each: true })
  acknowledges: ('merge' | 'erasure')[];

  /** Ask it before a merge by hand commits. */
  @IsOptional()
  @IsArray()
  @ArrayMaxSize(1)
  @IsIn(['merge'], { each: true })
  consents?: 'merge'[];

  /** How long it has to consent; silence is a refusal. Left out: a day, or as before. */
  @IsOptional()
  @IsInt()
  @Min(1)
  @Max(31_536_000)
  answerWithinSeconds?: number;

  /** After how long a missing acknowledgement is told as overdue. Left out: a day, or as before. */
  @IsOptional()
  @IsInt()
  @Min(1)
  @Max(31_536_000)
  overdueAfterSeconds?: number;
}
