import { IsISO8601, MaxLength } from 'class-validator';
import { IsOptional } from './is-optional.decorator.js';

export class AsOfQueryDto {
  /** As it was at this time. */
  @IsOptional()
  @IsISO8601({ strict: true })
  @MaxLength(40)
  asOf?: string;
}
