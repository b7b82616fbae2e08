import { IsBoolean, IsISO8601, IsOptional, IsString, Matches, MaxLength, ValidateIf } from 'class-validator';
import { Transform } from 'class-transformer';

/** Texts that back ends send when they have no id (P9), compared after trimming and without regard to case. */
const placeholders = new Set([
  '',
  'null',
  'undefined',
  'nan',
  'none',
  'nil',
  '0',
  '-1',
  '[object object]',
  'anonymous',
  'unknown',
  'n/a',
]);
const oneCharacterRepeated = /^(.)\1+$/su;
export const idPattern = /^[A-Za-z0-9_-]{1,128}$/;

/** A placeholder is never a unionId and never an openId: one account for everybody whose id was lost (scenario 11). */
export function isPlaceholder(text: string): boolean {
  const trimmed = text.trim();
  return placeholders.has(trimmed.toLowerCase()) || oneCharacterRepeated.test(trimmed);
}

const trimmed = ({ value }: { value: unknown }): unknown => (typeof value === 'string' ? value.trim() : value);
const unionIdOrNull = ({ value }: { value: unknown }): unknown => {
  if (typeof value !== 'string') return value;
  return isPlaceholder(value) ? null : value.trim();
};

/** What one ingest saw. The body of `POST /v1/identities/resolve`, an item of a batch, a record on the observations topic. */
export class ObservationDto {
  /** The app that the openId belongs to. */
  @Transform(trimmed)
  @IsString()
  @Matches(idPattern, { message: 'appId must be 1 to 128 characters of A-Z a-z 0-9 _ -' })
  appId: string;

  /** The person inside this app; 1–128 characters of `[A-Za-z0-9_-]`, case kept, surrounding blanks trimmed. */
  @Transform(trimmed)
  @IsString()
  @Matches(idPattern, { message: 'openId must be 1 to 128 characters of A-Z a-z 0-9 _ -' })
  openId: string;

  /** The person inside the app's Open Platform account. Placeholders (`"null"`, `""`, `"0"` …) count as none. */
  @Transform(unionIdOrNull)
  @ValidateIf((observation: ObservationDto) => observation.unionId !== undefined && observation.unionId !== null)
  @IsString()
  @Matches(idPattern, { message: 'unionId must be 1 to 128 characters of A-Z a-z 0-9 _ -' })
  unionId?: string | null;

  /** Which kind of evidence this is, e.g. `code2session`, `oauth_userinfo`; default `trusted_backend`. */
  @IsOptional()
  @IsString()
  @Matches(/^[a-z0-9_]{1,64}$/, { message: 'source must be 1 to 64 characters of a-z 0-9 _' })
  source?: string;

  /** When it was seen; default now. Evidence never travels back in time (P7). */
  @IsOptional()
  @IsString()
  @MaxLength(40)
  @Matches(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/, {
    message: 'observedAt must be an RFC 3339 time',
  })
  @IsISO8601({ strict: true })
  observedAt?: string;

  /** WeChat's `is_snapshotuser`: such a user has made-up ids and is refused. */
  @IsOptional()
  @IsBoolean()
  isSnapshotUser?: boolean;
}

/** An observation that passed the door: ids trimmed and of the right characters, placeholders gone. */
export interface Observation {
  readonly appId: string;
  readonly openId: string;
  readonly unionId: string | null;
  readonly source: string;
  /** Null: now. */
  readonly observedAt: Date | null;
  /** Imports: since when the identity is known elsewhere; makes the user as old as that. */
  readonly firstSeenAt?: Date | null;
}
