import { parseArgs } from 'node:util';
import { cutIntoSends } from '../../../apps/relay/src/publish/records.js';
import { readPublished } from '../../../libs/store/src/index.js';
import { Refusal, say } from '../../machine.js';
import { Progress } from '../progress.js';
import { withBroker } from './broker.js';
import { selectionOf, selectionOptions } from './selection.js';

export const replayHelp = `  events replay (--all | --entity ID | --user ID … | --type TYPE … | --from TIME | --to TIME) [--dry-run]
      Publishes to Kafka again what was published before, with the same ids and content, per user in the order of its
      versions. Consumers with the guard of the contract pass over it; it is for those that lost what they had. Of who was
      erased since, the events say ids, status and version. --dry-run only counts.`;

const pageRows = 1_000;

export async function replay(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: { ...selectionOptions, all: { type: 'boolean' }, 'dry-run': { type: 'boolean' } },
  });
  const selection = selectionOf(values);
  const isNarrowed = Object.values(selection).some((part) => part !== null);
  if (isNarrowed === (values.all === true))
    throw new Refusal(`Say which events: --all, or some of --entity, --user, --type, --from, --to.\n\n${replayHelp}`);
  return withBroker(async ({ database, records, sink, send }) => {
    const progress = new Progress();
    let count = 0;
    for (let after = 0; ;) {
      const { rows, epoch } = await readPublished(database, selection, { after, limit: pageRows });
      const steps = rows.map((row) => ({ records: [records.ofRow(row, epoch)] }));
      const sends = cutIntoSends(steps, ({ topic, key }) => `${topic}/${sink.partition(topic, key)}`);
      for (const part of values['dry-run'] === true ? [] : sends) await send(part.flatMap((step) => step.records));
      count += rows.length;
      progress.show(`${count} events, up to ${rows.at(-1)?.time ?? 'the end'}`);
      after = rows.at(-1)?.id ?? after;
      if (rows.length < pageRows) break;
    }
    progress.end();
    say(values['dry-run'] === true ? `${count} events would be published again` : `${count} events published again`);
    return 0;
  });
}
