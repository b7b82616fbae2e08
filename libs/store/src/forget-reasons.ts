import type { Transaction } from './database.js';
import { likeAny, redactText } from './redact.js';

const ofMerge = 'merge_id IN (SELECT id FROM merge WHERE entity_id = $2)';
const ofEither = `(EXISTS (SELECT FROM merge m WHERE m.id = subject_id AND m.entity_id = $2)
  OR EXISTS (SELECT FROM erasure e WHERE e.id = subject_id AND e.entity_id = $2))`;

/** Where people and participants write what they like, besides the journal. */
const written = [
  { table: 'merge', column: 'reason', where: 'entity_id = $2' },
  { table: 'merge', column: 'revert_reason', where: 'entity_id = $2' },
  { table: 'merge_case', column: 'decision_reason', where: ofMerge },
  { table: 'consent', column: 'reason', where: ofMerge },
  { table: 'ignored_answer', column: 'reason', where: ofMerge },
  { table: 'acknowledgement', column: 'detail', where: ofEither },
  { table: 'separation', column: 'reason', where: 'entity_id = $2' },
  { table: 'conflict', column: 'reason', where: 'entity_id = $2' },
  { table: 'erasure', column: 'reason', where: 'entity_id = $2' },
] as const;

const rowsOf = ({ table, column, where }: (typeof written)[number]): string =>
  `FROM ${table} WHERE ${column} IS NOT NULL AND ${column} LIKE ANY ($1) AND ${where}`;

const namingSql = written
  .map((one, index) => `SELECT ${index} AS index WHERE EXISTS (SELECT ${rowsOf(one)})`)
  .join(' UNION ALL ');

/** Takes these ids out of what was written about others of the entity. */
export async function redactReasons(
  transaction: Transaction,
  entityId: string,
  texts: readonly string[],
): Promise<void> {
  const values = [likeAny(texts), entityId];
  const naming = await transaction.query<{ index: number }>({ text: namingSql, values });
  for (const one of written.filter((_, index) => naming.some((row) => row.index === index))) {
    // The rows are locked, so their places hold until the transaction ends.
    const rows = await transaction.query<{ place: string; text: string }>({
      text: `SELECT ctid::text AS place, ${one.column} AS text ${rowsOf(one)} ORDER BY ctid FOR UPDATE`,
      values,
    });
    await transaction.query({
      text: `UPDATE ${one.table} t SET ${one.column} = c.text FROM unnest($1::text[]::tid[], $2::text[]) c (place, text)
        WHERE t.ctid = c.place`,
      values: [rows.map(({ place }) => place), rows.map(({ text }) => redactText(text, texts))],
    });
  }
}
