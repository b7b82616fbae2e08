import { parseArgs } from 'node:util';
import { toStructured } from '../../../libs/events/src/index.js';
import type { JournalRow, Selection } from '../../../libs/store/src/index.js';
import { encodeCursor, envelopeOf, followFeed, JournalPulse, readLast } from '../../../libs/store/src/index.js';
import { say } from '../../machine.js';
import { withDatabase } from '../database.js';
import { countOf, selectionOf, selectionOptions } from './selection.js';

export const tailHelp = `  events tail [--last N] [--follow] [--entity ID] [--user ID …] [--type TYPE …] [--from TIME] [--to TIME]
      Prints the last events (10), one JSON object a line, as GET /v1/events has them. --follow goes on until Ctrl-C.`;

const pageRows = 200;

export async function tail(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: { ...selectionOptions, last: { type: 'string', default: '10' }, follow: { type: 'boolean', short: 'f' } },
  });
  const selection = selectionOf(values);
  const last = countOf('--last', values.last, { min: 0, max: 100_000 });
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());
  // Whoever reads us has seen enough (`| head`).
  process.stdout.once('error', () => process.exit(0));
  return withDatabase(async (database) => {
    const { rows, next, epoch } = await readLast(database, selection, last);
    for (const row of rows) print(row, epoch);
    if (values.follow !== true) return 0;
    const { entityId, types } = selection;
    const after = encodeCursor(next);
    const feed = { entityId, after, types: types ?? undefined, limit: pageRows, retentionDays: 1 };
    for await (const page of followFeed(database, feed, new JournalPulse(database, stop.signal), stop.signal))
      for (const { row } of page.items) if (isOf(selection, row)) print(row, page.epoch);
    return 0;
  });
}

function isOf({ userIds, from, to }: Selection, { userId, time }: JournalRow): boolean {
  const at = new Date(time);
  return (
    (userIds === null || (userId !== null && userIds.includes(userId))) &&
    (from === null || at >= from) &&
    (to === null || at < to)
  );
}

function print(row: JournalRow, epoch: number): void {
  say(JSON.stringify(toStructured(envelopeOf(row, epoch))));
}
