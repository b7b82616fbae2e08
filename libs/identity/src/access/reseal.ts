import type { Database, SealedColumn, SealedValue } from '#store';
import { readOneSealed, readSealed, recordDeed, replaceSealed, sealedColumns } from '#store';
import type { Author } from './deeds.js';
import type { Sealer } from './sealer.js';

export interface ResealReport {
  readonly name: string;
  /** What was sealed anew. */
  readonly resealed: number;
  /** What was under the present key already. */
  readonly current: number;
  /** Keys of rows whose value no key of ours opens, or that somebody kept changing: they stay as they are. */
  readonly failed: readonly string[];
}

const pageMax = 200;
/** Each time somebody else has written; what processes write now is under the present key, so one look more is enough. */
const looksMax = 5;

/** The authenticated place of a value, as those who seal it say it. A new column does not compile without one. */
const placeOf: { readonly [name in NameOf<SealedColumn>]: (key: string) => string } = {
  'app.app_secret': (key) => `app:${key}:secret`,
  'app.push_token': (key) => `app:${key}:push-token`,
  'app.push_aes_key': (key) => `app:${key}:push-aes-key`,
  'app_token.token': (key) => `app:${key}:access-token`,
  'signing_key.private_key': (key) => `signing-key:${key}`,
  'installation.pepper': () => 'installation:pepper',
};
type NameOf<C> = C extends { readonly table: infer T extends string; readonly column: infer K extends string }
  ? `${T}.${K}`
  : never;

/**
 * Seals everything with the present SECRETS_KEY, row by row, while everything runs: each value is compared and set, so
 * what somebody writes meanwhile stays. Again and again is safe.
 */
export async function reseal(database: Database, sealer: Sealer, by: Author): Promise<ResealReport[]> {
  const reports: ResealReport[] = [];
  for (const column of sealedColumns) reports.push(await resealColumn(database, sealer, column));
  const details = Object.fromEntries(
    reports.map(({ name, resealed, failed }) => [name, { resealed, failed: failed.length }]),
  );
  const deed = { entityId: null, action: 'secrets.resealed', subject: 'SECRETS_KEY', details };
  await database.transaction((transaction) => recordDeed(transaction, { ...by, ...deed }));
  return reports;
}

async function resealColumn(database: Database, sealer: Sealer, column: SealedColumn): Promise<ResealReport> {
  const name = `${column.table}.${column.column}` as NameOf<SealedColumn>;
  const counts = { resealed: 0, current: 0 };
  const failed: string[] = [];
  let page: SealedValue[] = [];
  do {
    page = await readSealed(database, column, { after: page.at(-1)?.key ?? null, limit: pageMax });
    for (const value of page) {
      const outcome = await resealOne(database, sealer, column, value, placeOf[name](value.key));
      if (outcome === 'failed') failed.push(value.key);
      else counts[outcome] += 1;
    }
  } while (page.length === pageMax);
  return { name, ...counts, failed };
}

async function resealOne(
  database: Database,
  sealer: Sealer,
  column: SealedColumn,
  { key, sealed }: SealedValue,
  place: string,
): Promise<'resealed' | 'current' | 'failed'> {
  let value: Buffer | null = sealed;
  for (let look = 1; look <= looksMax && value !== null; look += 1) {
    if (sealer.isCurrent(value)) return 'current';
    const opened = tryOpen(sealer, value, place);
    if (opened === null) return 'failed';
    if (await replaceSealed(database, column, { key, sealed: value, by: sealer.seal(opened, place) }))
      return 'resealed';
    value = await readOneSealed(database, column, key);
  }
  return value === null ? 'current' : 'failed';
}

/** One value that does not open must not keep the others from being sealed anew; the report names it. */
function tryOpen(sealer: Sealer, sealed: Buffer, place: string): Buffer | null {
  try {
    return sealer.open(sealed, place);
  } catch {
    return null;
  }
}
