import { IsIn, IsInt, IsOptional, IsString, Length, Max, Min } from 'class-validator';
import { faultKinds } from './faults.js';
import type { FaultKind } from './faults.js';

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
