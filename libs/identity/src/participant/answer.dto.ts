import { plainToInstance, Transform } from 'class-transformer';
import { IsIn, IsOptional, IsString, Matches, validateSync } from 'class-validator';
import { Refusal } from '../problem.js';
import { fieldErrors, shallow } from '../resolve/door.js';

const detailMax = 1000;
const storable = ({ value }: { value: unknown }): unknown =>
  typeof value === 'string' ? value.slice(0, detailMax).replace(/[\p{Cc}\p{Cs}]+/gu, ' ') : (value ?? undefined);

/** A record on identity.acknowledgements.v1. */
export class AnswerDto {
  @IsIn(['merge', 'revert', 'erasure'])
  kind: 'merge' | 'revert' | 'erasure';

  /** The mergeId or erasureId. */
  @IsString()
  @Matches(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/, { message: 'id must be a mergeId or an erasureId' })
  id: string;

  /** The participant's name. */
  @IsString()
  @Matches(/^[a-z0-9-]{1,64}$/, { message: 'participant must be 1 to 64 characters of a-z 0-9 -' })
  participant: string;

  @IsIn(['done', 'failed', 'accept', 'refuse'])
  status: 'done' | 'failed' | 'accept' | 'refuse';

  /** Why it failed or was refused. Often the text of an error: what cannot be stored of it is no reason to lose the answer. */
  @Transform(storable)
  @IsOptional()
  @IsString()
  detail?: string;
}

/** Lets one answer in; fields that a later kit adds are passed over. Throws `invalid_request` with the fields at fault. */
export function admitAnswer(raw: unknown): AnswerDto {
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw))
    throw new Refusal('invalid_request', 'an answer is an object');
  const answer = plainToInstance(AnswerDto, shallow(raw));
  const errors = validateSync(answer, { whitelist: true, forbidUnknownValues: true });
  if (errors.length > 0)
    throw new Refusal('invalid_request', 'the answer is not valid', { errors: fieldErrors(errors) });
  return answer;
}
