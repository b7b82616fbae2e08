import { IsString, Matches, MaxLength } from 'class-validator';
import { IsOptional } from '../request/is-optional.decorator.js';

export class CloudHostingLoginDto {
  /** The app that the caller uses; where it shares another app's container, its own and not that one's. */
  @IsString()
  @Matches(/^[A-Za-z0-9_-]{1,128}$/, { message: 'appId must be 1 to 128 characters of A-Z a-z 0-9 _ -' })
  appId: string;
}

export class OauthLoginDto {
  @IsString()
  @Matches(/^[A-Za-z0-9_-]{1,128}$/, { message: 'appId must be 1 to 128 characters of A-Z a-z 0-9 _ -' })
  appId: string;

  /** The code WeChat gave the client: one use, minutes long, of this app only. */
  @IsString()
  @Matches(/^[\x21-\x7e]{1,512}$/, { message: 'code must be 1 to 512 visible ASCII characters' })
  code: string;
}

export class MiniProgramLoginDto extends OauthLoginDto {
  /** Of `wx.getUserInfo`, with `iv`: can confirm the unionId, never link by itself. */
  @IsOptional()
  @IsString()
  @MaxLength(65_536)
  encryptedData?: string;

  @IsOptional()
  @IsString()
  @MaxLength(256)
  iv?: string;

  /** As received, with `signature`. */
  @IsOptional()
  @IsString()
  @MaxLength(65_536)
  rawData?: string;

  @IsOptional()
  @IsString()
  @MaxLength(256)
  signature?: string;
}
