import { Transform } from 'class-transformer';
import {
  ArrayMaxSize,
  ArrayMinSize,
  IsArray,
  IsBoolean,
  IsIn,
  IsISO8601,
  IsString,
  Matches,
  MaxLength,
} from 'class-validator';
import { IsOptional } from '../request/is-optional.decorator.js';
import { PageQueryDto } from '../request/paging.js';

const id = /^[A-Za-z0-9_-]{1,128}$/;
const boolean = ({ value }: { value: unknown }): unknown =>
  value === 'true' ? true : value === 'false' ? false : value;

export class UsersQueryDto extends PageQueryDto {
  @IsOptional()
  @IsString()
  @Matches(id, { message: 'unionId must be 1 to 128 characters of A-Z a-z 0-9 _ -' })
  unionId?: string;

  @IsOptional()
  @IsString()
  @Matches(/^[a-z0-9-]{1,64}$/, { message: 'openPlatformId must be 1 to 64 characters of a-z 0-9 -' })
  openPlatformId?: string;

  @IsOptional()
  @IsString()
  @Matches(id, { message: 'appId must be 1 to 128 characters of A-Z a-z 0-9 _ -' })
  appId?: string;

  @IsOptional()
  @IsString()
  @Matches(id, { message: 'openId must be 1 to 128 characters of A-Z a-z 0-9 _ -' })
  openId?: string;

  /** true: only users without a union key; false: only users with one. */
  @IsOptional()
  @Transform(boolean)
  @IsBoolean()
  provisional?: boolean;

  @IsOptional()
  @IsISO8601({ strict: true })
  @MaxLength(40)
  createdFrom?: string;

  /** Exclusive. */
  @IsOptional()
  @IsISO8601({ strict: true })
  @MaxLength(40)
  createdTo?: string;
}

export class OpenIdQueryDto {
  /** The sibling app. */
  @IsString()
  @Matches(id, { message: 'appId must be 1 to 128 characters of A-Z a-z 0-9 _ -' })
  appId: string;
}

export class HistoryQueryDto extends PageQueryDto {
  /** `merged` adds the entries of the users merged into this one. */
  @IsOptional()
  @IsIn(['merged'])
  include?: 'merged';
}

export class UserLookupDto {
  @IsArray()
  @ArrayMinSize(1)
  @ArrayMaxSize(1000)
  @IsString({ each: true })
  @MaxLength(128, { each: true })
  ids: string[];
}
