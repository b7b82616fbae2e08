import { eventTypes } from '../../../libs/events/src/index.js';
import type { Selection } from '../../../libs/store/src/index.js';
import { Refusal } from '../../machine.js';

/** Options that narrow down what is meant, the same for every command. */
export const selectionOptions = {
  entity: { type: 'string' },
  user: { type: 'string', multiple: true },
  type: { type: 'string', multiple: true },
  from: { type: 'string' },
  to: { type: 'string' },
} as const;

export interface SelectionValues {
  readonly entity?: string | undefined;
  readonly user?: readonly string[] | undefined;
  readonly type?: readonly string[] | undefined;
  readonly from?: string | undefined;
  readonly to?: string | undefined;
}

const entityPattern = /^[a-z0-9-]{1,64}$/;
const userPattern = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const timePattern = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)$/;

export function selectionOf({ entity, user, type, from, to }: SelectionValues): Selection {
  if (entity !== undefined && !entityPattern.test(entity))
    throw new Refusal(`--entity is an entityId, not "${entity}"`);
  const strangeUser = user?.find((id) => !userPattern.test(id));
  if (strangeUser !== undefined) throw new Refusal(`--user is a userId, not "${strangeUser}"`);
  const known: readonly string[] = eventTypes;
  const strangeType = type?.find((name) => !known.includes(name));
  if (strangeType !== undefined) throw new Refusal(`--type is one of ${known.join(', ')}; not "${strangeType}"`);
  return {
    entityId: entity ?? null,
    userIds: user ?? null,
    types: type ?? null,
    from: timeOf('--from', from),
    to: timeOf('--to', to),
  };
}

function timeOf(option: string, text: string | undefined): Date | null {
  if (text === undefined) return null;
  const time = timePattern.test(text) ? new Date(text) : new Date(NaN);
  if (Number.isNaN(time.getTime()))
    throw new Refusal(`${option} is a time such as 2026-11-23T08:00:00Z, not "${text}"`);
  return time;
}

export function countOf(option: string, text: string, bounds: { readonly min: number; readonly max: number }): number {
  const count = Number(text);
  if (!/^\d{1,9}$/.test(text) || count < bounds.min || count > bounds.max)
    throw new Refusal(`${option} is a whole number from ${bounds.min} to ${bounds.max}, not "${text}"`);
  return count;
}
