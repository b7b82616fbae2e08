import { ApiProperty } from '@nestjs/swagger';
import { IsISO8601, IsString, Matches } from 'class-validator';
import { IsOptional } from '../request/is-optional.decorator.js';
import { slug } from '../registry/registry.dto.js';
import { PageQueryDto } from '../request/paging.js';
import { IsText } from '../request/text.decorator.js';

export class AuditQueryDto extends PageQueryDto {
  /** For the operator: of one entity only. */
  @IsOptional()
  @IsString()
  @Matches(slug, { message: 'entityId must be 1 to 64 characters of a-z 0-9 -' })
  entityId?: string;

  /** Such as `app.changed`. */
  @IsOptional()
  @IsText(64)
  action?: string;

  /** `operator`, `key:<id>`, `command line` or `service`. */
  @IsOptional()
  @IsText(64)
  actor?: string;

  /** The id of what it was done to. */
  @IsOptional()
  @IsText(128)
  subject?: string;

  @IsOptional()
  @IsISO8601({ strict: true, strictSeparator: true })
  from?: string;

  /** This moment is not in it any more. */
  @IsOptional()
  @IsISO8601({ strict: true, strictSeparator: true })
  to?: string;
}

export class DeedAnswer {
  id: number;
  at: Date;
  /** Null: it concerns no single entity. */
  entityId: string | null;
  actor: string;
  action: string;
  subject: string;
  requestId: string | null;
  /** What changed, from what to what. Never a secret. */
  details: object;
}

export class DeedPage {
  @ApiProperty({ type: [DeedAnswer] })
  items: readonly DeedAnswer[];
  nextCursor: string | null;
}
