import { Transform } from 'class-transformer';
import { IsArray, IsBoolean, IsIn, IsInt, IsString, Matches, Min } from 'class-validator';
import { IsOptional } from '../request/is-optional.decorator.js';
import { importKinds } from '#identity';
import type { ImportKind } from '#identity';

const truth = ({ value }: { value: unknown }): unknown => (value === 'true' ? true : value === 'false' ? false : value);
const number = ({ value }: { value: unknown }): unknown =>
  typeof value === 'string' && /^\d{1,9}$/.test(value) ? Number(value) : value;

/** What an import is, beside its lines: in the query, or beside `items` in a JSON body. */
export class ImportQueryDto {
  @IsOptional()
  @IsIn(importKinds)
  kind?: ImportKind;

  /** Whose people these are; only the operator has to say. */
  @IsOptional()
  @IsString()
  @Matches(/^[a-z0-9-]{1,64}$/, { message: 'entityId must be 1 to 64 characters of a-z 0-9 -' })
  entityId?: string;

  /** The service account whose followers are pulled; with kind `followers` only. */
  @IsOptional()
  @IsString()
  @Matches(/^[A-Za-z0-9_-]{1,128}$/, { message: 'appId must be 1 to 128 characters of A-Z a-z 0-9 _ -' })
  appId?: string;

  /** Checks and decides every line and changes nothing. Each portion is decided as if those before had not been there. */
  @IsOptional()
  @Transform(truth)
  @IsBoolean()
  dryRun?: boolean;
}

/** The JSON form of an import. */
export class ImportDto extends ImportQueryDto {
  /** One object a line; with kind `followers` none. */
  @IsOptional()
  @IsArray()
  items?: object[];
}

export class ImportErrorsQueryDto {
  /** Shows the errors of the lines above this one. */
  @IsOptional()
  @Transform(number)
  @IsInt()
  @Min(0)
  errorsAfter?: number;
}
