import { plainToInstance } from 'class-transformer';
import { validateSync } from 'class-validator';
import type { ValidationError } from 'class-validator';
import { Refusal } from '../problem.js';
import { isPlaceholder, ObservationDto } from './observation.dto.js';
import type { Observation } from './observation.dto.js';

export interface FieldError {
  readonly path: string;
  readonly message: string;
}

/** class-validator's tree as the contract's flat list. Values never appear, only the field and the rule. */
export function fieldErrors(errors: readonly ValidationError[], prefix = ''): FieldError[] {
  return errors.flatMap((error) => {
    const path = prefix === '' ? error.property : `${prefix}.${error.property}`;
    const own = Object.values(error.constraints ?? {}).map((message) => ({ path, message }));
    return [...own, ...fieldErrors(error.children ?? [], path)];
  });
}

/**
 * Lets one observation in, by whichever door it came. Throws `invalid_request` with the fields at fault, or
 * `snapshot_user`; an accepted one needs no more checks.
 */
export function admit(raw: unknown): Observation {
  if (raw instanceof ObservationDto) return admitValid(raw);
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw))
    throw new Refusal('invalid_request', 'an observation is an object');
  const observation = plainToInstance(ObservationDto, shallow(raw));
  const errors = validateSync(observation, { whitelist: true, forbidNonWhitelisted: true, forbidUnknownValues: true });
  if (errors.length > 0)
    throw new Refusal('invalid_request', 'the observation is not valid', { errors: fieldErrors(errors) });
  return admitValid(observation);
}

const fieldsMax = 100;
const yearMax = 9999;

/**
 * What class-transformer may look at. It follows what is nested until the stack ends, and its time grows with the square of
 * the fields: 50,000 take six seconds. No field of ours is an object, so what one holds does not matter.
 */
export function shallow(raw: object): object {
  const fields = Object.entries(raw);
  if (fields.length > fieldsMax) throw new Refusal('invalid_request', `more than ${fieldsMax} fields`);
  return Object.fromEntries(
    fields.map(([name, value]: [string, unknown]) => [name, typeof value === 'object' && value !== null ? {} : value]),
  );
}

function admitValid(observation: ObservationDto): Observation {
  if (isPlaceholder(observation.openId))
    throw new Refusal('invalid_request', 'openId is a placeholder, not an id', {
      errors: [{ path: 'openId', message: 'openId is a placeholder, not an id' }],
    });
  if (observation.isSnapshotUser === true)
    throw new Refusal(
      'snapshot_user',
      'WeChat answered with a snapshot user, whose openId and unionId are made up: nothing was stored',
    );
  const { appId, openId, unionId, source, observedAt } = observation;
  const seen = observedAt === undefined || observedAt === null ? null : new Date(observedAt);
  // By its offset a time of the year 9999 can lie behind it, where neither RFC 3339 nor PostgreSQL can write it.
  if (seen !== null && seen.getUTCFullYear() > yearMax)
    throw new Refusal('invalid_request', 'observedAt is too late', {
      errors: [{ path: 'observedAt', message: `observedAt must not be after the year ${yearMax}` }],
    });
  return {
    appId,
    openId,
    unionId: unionId ?? null,
    source: source ?? 'trusted_backend',
    observedAt: seen,
  };
}
