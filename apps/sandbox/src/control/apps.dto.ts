import { Type } from 'class-transformer';
import {
  IsArray,
  IsBoolean,
  IsIn,
  IsInt,
  IsOptional,
  IsString,
  IsUrl,
  Length,
  Matches,
  Max,
  MaxLength,
  Min,
  ValidateIf,
  ValidateNested,
} from 'class-validator';
import { appKinds, pushFormats, pushModes } from '../world/world.js';
import type { AppKind } from '../world/world.js';

const isGiven = (_object: unknown, value: unknown): boolean => value !== undefined && value !== null;

export class PushSettingsDto {
  @IsUrl({ require_tld: false, require_protocol: true, protocols: ['http', 'https'] })
  url: string;

  @Length(1, 64)
  token: string;

  @ValidateIf(isGiven)
  @Matches(/^[A-Za-z0-9]{43}$/)
  encodingAesKey?: string | null;

  @IsIn(pushModes)
  mode: (typeof pushModes)[number];

  @IsOptional()
  @IsIn(pushFormats)
  format?: (typeof pushFormats)[number];
}

/**
 * The names are the sandbox's (`secret`, `openPlatform`) or our registry's (`appSecret`, `openPlatformId`): the same
 * body can be sent to both.
 */
export class AppDto {
  @IsIn(appKinds)
  kind: AppKind;

  @IsOptional()
  @MaxLength(100)
  name?: string;

  @ValidateIf(isGiven)
  @Length(1, 128)
  secret?: string | null;

  @ValidateIf(isGiven)
  @Length(1, 128)
  appSecret?: string | null;

  @ValidateIf(isGiven)
  @Length(1, 64)
  openPlatform?: string | null;

  @ValidateIf(isGiven)
  @Length(1, 64)
  openPlatformId?: string | null;

  @IsOptional()
  @Matches(/^[A-Za-z0-9_-]{1,64}$/)
  originalId?: string;

  @IsOptional()
  @IsBoolean()
  verified?: boolean;

  @ValidateIf(isGiven)
  @ValidateNested()
  @Type(() => PushSettingsDto)
  push?: PushSettingsDto | null;
}

export class BindDto {
  @IsString()
  appId: string;

  @ValidateIf(isGiven)
  @Length(1, 64)
  openPlatform?: string | null;

  @ValidateIf(isGiven)
  @Length(1, 64)
  openPlatformId?: string | null;
}

export class FollowersDto {
  @IsString()
  appId: string;

  @IsArray()
  @Length(1, 64, { each: true })
  people: string[];
}

export class MigrationDto {
  @IsString()
  fromAppId: string;

  @IsString()
  toAppId: string;
}

export class ClockDto {
  @IsInt()
  @Min(1)
  @Max(400 * 24 * 3600)
  advanceSeconds: number;
}

export class QuotaDto {
  @IsString()
  appId: string;

  @IsString()
  endpoint: string;

  @IsInt()
  @Min(0)
  used: number;
}
