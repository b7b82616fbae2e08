import { Refusal } from '#identity';
import { Transform } from 'class-transformer';
import { IsInt, IsString, Matches, Max, Min } from 'class-validator';
import { IsOptional } from './is-optional.decorator.js';

const number = ({ value }: { value: unknown }): unknown =>
  typeof value === 'string' && /^\d{1,6}$/.test(value) ? Number(value) : value;

/** `?limit=&cursor=` of every list. */
export class PageQueryDto {
  /** Items in the answer, 1–200. */
  @IsOptional()
  @Transform(number)
  @IsInt()
  @Min(1)
  @Max(200)
  limit?: number;

  /** `nextCursor` of the page before. */
  @IsOptional()
  @IsString()
  @Matches(/^[A-Za-z0-9_-]{1,500}$/, { message: 'cursor is not one that a list answered' })
  cursor?: string;
}

export const defaultLimit = 50;

export const byId = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
export const byNumber = /^\d{1,15}$/;
export const byName = /^[A-Za-z0-9_-]{1,128}$/;

/** A page asked for: `after` is the sort key of the last item that was seen, of the list's own kind. */
export function pageOf(query: PageQueryDto, sortKey: RegExp): { after: string | null; limit: number } {
  return {
    after: query.cursor === undefined ? null : decode(query.cursor, sortKey),
    limit: query.limit ?? defaultLimit,
  };
}

/** One item more than asked for is read, so that the last page says that it is the last. */
export function paged<T>(
  items: readonly T[],
  limit: number,
  keyOf: (item: T) => string,
): {
  items: T[];
  nextCursor: string | null;
} {
  const page = items.slice(0, limit);
  const last = page.at(-1);
  return { items: page, nextCursor: items.length > limit && last !== undefined ? encode(keyOf(last)) : null };
}

function encode(key: string): string {
  return Buffer.from(key).toString('base64url');
}

function decode(cursor: string, sortKey: RegExp): string {
  const key = Buffer.from(cursor, 'base64url').toString();
  if (!sortKey.test(key) || encode(key) !== cursor)
    throw new Refusal('invalid_request', 'cursor is not one that a list answered', {
      errors: [{ path: 'cursor', message: 'cursor is not one that a list answered' }],
    });
  return key;
}
