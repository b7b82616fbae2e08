import { IsString, IsUUID, Matches } from 'class-validator';
import { IsOptional } from '../request/is-optional.decorator.js';
import { slug } from '../registry/registry.dto.js';

export class RevocationRequestDto {
  /** Everything issued to this user until now. Either this or `jti`. */
  @IsOptional()
  @IsUUID()
  userId?: string;

  /** One token, by its `jti`. */
  @IsOptional()
  @IsUUID()
  jti?: string;

  /** With `jti`, for the operator: whose token it is. */
  @IsOptional()
  @IsString()
  @Matches(slug, { message: 'entityId must be 1 to 64 characters of a-z 0-9 -' })
  entityId?: string;
}

export class RevocationsQueryDto {
  /** `nextCursor` of the answer before; left out: everything that is listed. */
  @IsOptional()
  @IsString()
  since?: string;
}
