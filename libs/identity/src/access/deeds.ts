import { Injectable } from '@nestjs/common';
import type { DeedFilter, DeedRow } from '#store';
import { Database, readDeeds } from '#store';
import type { Origin } from '../change/world.js';

/** Who does it, by which request. */
export type Author = Pick<Origin, 'actor' | 'requestId'>;

/** What operators and admins did to the installation; what was done to people is in their history. */
@Injectable()
export class Deeds {
  constructor(private readonly database: Database) {}

  /** Newest first; `after` is the id to go on below. */
  list(filter: DeedFilter, page: { readonly after: number | null; readonly limit: number }): Promise<DeedRow[]> {
    return readDeeds(this.database, filter, page);
  }
}

/** The fields that changed, from what to what. */
export function differences<T extends object>(
  before: T,
  after: T,
  fields: readonly (keyof T & string)[],
): Record<string, { readonly from: unknown; readonly to: unknown }> {
  return Object.fromEntries(
    fields
      .filter((field) => JSON.stringify(before[field]) !== JSON.stringify(after[field]))
      .map((field) => [field, { from: before[field] ?? null, to: after[field] ?? null }]),
  );
}
