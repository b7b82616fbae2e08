import { ApiProperty } from '@nestjs/swagger';
import { ArrayMaxSize, ArrayMinSize, IsArray, IsObject, IsString, Matches, ValidateNested } from 'class-validator';
import { Type } from 'class-transformer';
import { ObservationDto } from '#identity';

export class ResolveBatchDto {
  /** 1–1000 observations, each as for `POST /v1/identities/resolve`. One bad item spoils no other. */
  @IsArray()
  @ArrayMinSize(1)
  @ArrayMaxSize(1000)
  @ApiProperty({ type: [ObservationDto] })
  items: object[];
}

export class IdentityRefDto {
  @IsString()
  @Matches(/^[A-Za-z0-9_-]{1,128}$/, { message: 'appId must be 1 to 128 characters of A-Z a-z 0-9 _ -' })
  appId: string;

  @IsString()
  @Matches(/^[A-Za-z0-9_-]{1,128}$/, { message: 'openId must be 1 to 128 characters of A-Z a-z 0-9 _ -' })
  openId: string;
}

export class IdentityLookupDto {
  @IsArray()
  @ArrayMinSize(1)
  @ArrayMaxSize(1000)
  @IsObject({ each: true })
  @ValidateNested({ each: true })
  @Type(() => IdentityRefDto)
  identities: IdentityRefDto[];
}
