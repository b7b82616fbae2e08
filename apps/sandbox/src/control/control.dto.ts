import { Type } from 'class-transformer';
import {
  IsArray,
  IsBoolean,
  IsIn,
  IsInt,
  IsObject,
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
import { faultKinds } from './faults.js';
import type { FaultKind } from './faults.js';

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

export class PersonDto {
  @Length(1, 64)
  name: string;
}

export class LoginDto {
  @Length(1, 64)
  person: string;

  @IsString()
  appId: string;

  @IsOptional()
  @IsIn(['snsapi_base', 'snsapi_userinfo', 'snsapi_login'])
  scope?: 'snsapi_base' | 'snsapi_userinfo' | 'snsapi_login';

  @IsOptional()
  @IsBoolean()
  snapshot?: boolean;
}

export class EventDto {
  @Length(1, 64)
  person: string;

  @IsString()
  appId: string;

  /** The parametric code's scene, for follow and scan. */
  @IsOptional()
  @MaxLength(64)
  scene?: string;

  /** What was withdrawn, for revoke: one of WeChat's numbers. */
  @IsOptional()
  @Matches(/^\d{1,6}(,\d{1,6})*$/)
  revokeInfo?: string;

  /** False: answer at once and go on sending. */
  @IsOptional()
  @IsBoolean()
  wait?: boolean;
}

export class PushDto {
  @IsString()
  appId: string;

  /** The fields, as they are to arrive. ToUserName, CreateTime and MsgType are added where they are missing. */
  @IsObject()
  message: Record<string, unknown>;

  /** Sent so often, as WeChat repeats what was not answered. */
  @IsOptional()
  @IsInt()
  @Min(1)
  @Max(10)
  copies?: number;
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

export class PayDto {
  @Length(1, 64)
  person: string;

  @IsString()
  appId: string;

  @IsOptional()
  @Length(1, 64)
  transactionId?: string;

  @IsOptional()
  @Length(1, 64)
  mchId?: string;

  @IsOptional()
  @Length(1, 64)
  outTradeNo?: string;
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

export class FaultDto {
  @Length(1, 200)
  endpoint: string;

  @IsOptional()
  @IsString()
  appId?: string;

  @IsIn(faultKinds)
  kind: FaultKind;

  @IsOptional()
  @IsInt()
  errcode?: number;

  @IsOptional()
  @IsInt()
  @Min(400)
  @Max(599)
  status?: number;

  @IsOptional()
  @IsInt()
  @Min(0)
  @Max(600_000)
  delayMs?: number;

  @IsOptional()
  @IsInt()
  @Min(1)
  @Max(1_000_000)
  times?: number;
}

export class FollowersDto {
  @IsString()
  appId: string;

  @IsArray()
  @Length(1, 64, { each: true })
  people: string[];
}
