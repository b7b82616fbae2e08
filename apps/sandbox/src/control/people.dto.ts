import {
  IsBoolean,
  IsIn,
  IsInt,
  IsObject,
  IsOptional,
  IsString,
  Length,
  Matches,
  Max,
  MaxLength,
  Min,
} from 'class-validator';

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

  /** For follow: so long user/info goes on saying subscribe 0, as WeChat's does for a moment. */
  @IsOptional()
  @IsInt()
  @Min(0)
  @Max(86_400)
  unknownForSeconds?: number;

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
