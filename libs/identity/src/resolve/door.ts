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
  const observation = plainToInstance(ObservationDto, raw);
  const errors = validateSync(observation, { whitelist: true, forbidNonWhitelisted: true, forbidUnknownValues: true });
  if (errors.length > 0)
    throw new Refusal('invalid_request', 'the observation is not valid', { errors: fieldErrors(errors) });
  return admitValid(observation);
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
  return {
    appId,
    openId,
    unionId: unionId ?? null,
    source: source ?? 'trusted_backend',
    observedAt: observedAt === undefined || observedAt === null ? null : new Date(observedAt),
  };
}
