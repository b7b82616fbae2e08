import { isISO8601 } from 'class-validator';
import { idPattern, isPlaceholder } from '../resolve/observation.dto.js';

export const importKinds = ['identities', 'union_ids', 'open_ids', 'followers'] as const;
export type ImportKind = (typeof importKinds)[number];

export interface IdentityLine {
  readonly appId: string;
  readonly openId: string;
  readonly unionId: string | null;
  readonly firstSeenAt: string | null;
}

export interface RekeyLine {
  readonly openPlatformId: string;
  readonly oldUnionId: string;
  readonly newOpenPlatformId: string;
  readonly newUnionId: string;
}

export interface OpenIdLine {
  readonly oldAppId: string;
  readonly oldOpenId: string;
  readonly newAppId: string;
  readonly newOpenId: string;
}

/** Somebody on the follower list of a service account. */
export interface FollowerLine {
  readonly openId: string;
}

export interface LineOf {
  readonly identities: IdentityLine;
  readonly union_ids: RekeyLine;
  readonly open_ids: OpenIdLine;
  readonly followers: FollowerLine;
}

/** What a line may say, by kind; the header of a CSV names these. */
export const columnsOf: Readonly<Record<ImportKind, readonly string[]>> = {
  identities: ['appId', 'openId', 'unionId', 'firstSeenAt'],
  union_ids: ['openPlatformId', 'oldUnionId', 'newOpenPlatformId', 'newUnionId'],
  open_ids: ['oldAppId', 'oldOpenId', 'newAppId', 'newOpenId'],
  followers: [],
};

type Fields = Readonly<Record<string, unknown>>;
export type LineReading<Line> = { readonly content: Line } | { readonly problem: string };

const rfc3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/;
const slug = /^[a-z0-9-]{1,64}$/;

/** The rule a field broke. Its value never appears: it may be somebody's id. */
class Broken extends Error {
  override readonly name = 'Broken';
}

/** Takes what one line says, by the same rules as an observation's (P9). Pure. */
export function readLine<Kind extends ImportKind>(
  kind: Kind,
  fields: Fields,
  nowMs: number,
): LineReading<LineOf[Kind]> {
  try {
    const unknown = Object.keys(fields).find((name) => !columnsOf[kind].includes(name));
    if (unknown !== undefined) throw new Broken(`${kind} know these fields only: ${columnsOf[kind].join(', ')}`);
    return { content: readers[kind](fields, nowMs) };
  } catch (error) {
    if (error instanceof Broken) return { problem: error.message };
    throw error;
  }
}

const readers: { readonly [Kind in ImportKind]: (fields: Fields, nowMs: number) => LineOf[Kind] } = {
  identities: (fields, nowMs) => ({
    appId: id(fields, 'appId'),
    openId: id(fields, 'openId'),
    unionId: isAbsent(fields['unionId']) || isNone(fields['unionId']) ? null : id(fields, 'unionId'),
    firstSeenAt: isAbsent(fields['firstSeenAt']) ? null : past(fields, 'firstSeenAt', nowMs),
  }),
  union_ids: (fields) => {
    const openPlatformId = account(fields, 'openPlatformId');
    const line = {
      openPlatformId,
      oldUnionId: id(fields, 'oldUnionId'),
      newOpenPlatformId: isAbsent(fields['newOpenPlatformId']) ? openPlatformId : account(fields, 'newOpenPlatformId'),
      newUnionId: id(fields, 'newUnionId'),
    };
    if (line.newOpenPlatformId === openPlatformId && line.newUnionId === line.oldUnionId)
      throw new Broken('the new unionId is the old one');
    return line;
  },
  open_ids: (fields) => {
    const line = {
      oldAppId: id(fields, 'oldAppId'),
      oldOpenId: id(fields, 'oldOpenId'),
      newAppId: id(fields, 'newAppId'),
      newOpenId: id(fields, 'newOpenId'),
    };
    if (line.oldAppId === line.newAppId && line.oldOpenId === line.newOpenId)
      throw new Broken('the new openId is the old one');
    return line;
  },
  followers: (fields) => ({ openId: id(fields, 'openId') }),
};

function isAbsent(value: unknown): boolean {
  return value === undefined || value === null;
}

function isNone(value: unknown): boolean {
  return typeof value === 'string' && isPlaceholder(value);
}

function text(fields: Fields, name: string): string {
  const value = fields[name];
  if (isAbsent(value)) throw new Broken(`${name} is missing`);
  if (typeof value !== 'string') throw new Broken(`${name} must be a text`);
  return value.trim();
}

function id(fields: Fields, name: string): string {
  const value = text(fields, name);
  if (isPlaceholder(value)) throw new Broken(`${name} is a placeholder, not an id`);
  if (!idPattern.test(value)) throw new Broken(`${name} must be 1 to 128 characters of A-Z a-z 0-9 _ -`);
  return value;
}

function account(fields: Fields, name: string): string {
  const value = text(fields, name);
  if (!slug.test(value)) throw new Broken(`${name} must be 1 to 64 characters of a-z 0-9 -`);
  return value;
}

function past(fields: Fields, name: string, nowMs: number): string {
  const value = text(fields, name);
  if (!rfc3339.test(value) || !isISO8601(value, { strict: true })) throw new Broken(`${name} must be an RFC 3339 time`);
  if (Date.parse(value) > nowMs) throw new Broken(`${name} lies in the future`);
  return new Date(value).toISOString();
}
