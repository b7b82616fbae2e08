import { Type } from 'class-transformer';
import {
  IsArray,
  IsBoolean,
  IsIn,
  IsInt,
  IsISO8601,
  IsObject,
  IsString,
  Matches,
  Max,
  Min,
  ValidateIf,
  ValidateNested,
} from 'class-validator';
import { IsOptional } from '../request/is-optional.decorator.js';
import type { AppKind, PushMode, Scope } from '#identity';
import { PageQueryDto } from '../request/paging.js';
import { IsText } from '../request/text.decorator.js';

export const slug = /^[a-z0-9-]{1,64}$/;
export const appIdPattern = /^[A-Za-z0-9_-]{1,128}$/;

export class NameDto {
  /** What people call it. */
  @IsText(200)
  name: string;
}

export class PushDto {
  /** The Token of the message push settings. */
  @IsString()
  @Matches(/^[\x21-\x7e]{1,64}$/, { message: 'token must be 1 to 64 visible ASCII characters' })
  token: string;

  /** The EncodingAESKey: 43 characters. Needed for the modes compatible and safe. */
  @ValidateIf((push: PushDto) => push.mode !== 'plain' || push.encodingAesKey !== undefined)
  @IsString()
  @Matches(/^[A-Za-z0-9]{43}$/, { message: 'encodingAesKey must be 43 characters of A-Z a-z 0-9' })
  encodingAesKey?: string;

  @IsIn(['plain', 'compatible', 'safe'])
  mode: PushMode;
}

export class AppDto {
  @IsIn(['mini_program', 'mini_game', 'service_account', 'subscription_account', 'mobile_app', 'website_app'])
  kind: AppKind;

  @IsText(200)
  name: string;

  /** The Open Platform account the app is bound to; null: none; left out: as before. Changing it declares a rebind. */
  @ValidateIf((app: AppDto) => app.openPlatformId !== undefined && app.openPlatformId !== null)
  @IsString()
  @Matches(slug, { message: 'openPlatformId must be 1 to 64 characters of a-z 0-9 -' })
  openPlatformId?: string | null;

  /** WeChat's original id, `gh_…`. */
  @IsOptional()
  @IsText(128)
  originalId?: string;

  /** Kept sealed, never returned. Left out: as before. */
  @IsOptional()
  @IsString()
  @Matches(/^[\x21-\x7e]{1,256}$/, { message: 'appSecret must be 1 to 256 visible ASCII characters' })
  appSecret?: string;

  /** Message push settings; kept sealed, never returned. */
  @ValidateIf((app: AppDto) => app.push !== undefined)
  @IsObject()
  @ValidateNested()
  @Type(() => PushDto)
  push?: PushDto;

  /** A test account: shown in diagnoses, never mixed with production in people's minds. */
  @IsOptional()
  @IsBoolean()
  sandbox?: boolean;

  /**
   * The app's back end runs in WeChat's cloud hosting and may pass on the caller that WeChat's headers name
   * (`POST /v1/logins/cloud-hosting`). Off unless set.
   */
  @IsOptional()
  @IsBoolean()
  cloudHosting?: boolean;
}

export class ApiKeyRequestDto {
  /** Left out: the caller's own entity; for the operator a key of no entity. */
  @IsOptional()
  @IsString()
  @Matches(slug, { message: 'entityId must be 1 to 64 characters of a-z 0-9 -' })
  entityId?: string;

  @IsText(200)
  name: string;

  @IsArray()
  @IsIn(['ingest', 'read', 'merge', 'admin'], { each: true })
  scopes: Scope[];

  @IsOptional()
  @IsISO8601({ strict: true, strictSeparator: true })
  expiresAt?: string;

  /** The participant whose own key it is: it answers as that participant only, and no other key of the entity does. */
  @IsOptional()
  @IsString()
  @Matches(slug, { message: 'participant must be 1 to 64 characters of a-z 0-9 -' })
  participant?: string;
}

export const graceSecondsDefault = 86_400;

export class ApiKeyRotationDto {
  /** How long the old key goes on: a day unless said otherwise, 7 days at most; 0: it ends at once. */
  @IsOptional()
  @IsInt()
  @Min(0)
  @Max(7 * 86_400)
  graceSeconds?: number;
}

export class ApiKeysQueryDto extends PageQueryDto {
  /** How the key begins, up to 12 characters: never send a whole key in a URL. */
  @IsOptional()
  @IsString()
  @Matches(/^[A-Za-z0-9_-]{1,12}$/, { message: 'prefix must be the first 1 to 12 characters of a key' })
  prefix?: string;
}
