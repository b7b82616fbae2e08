import { parseArgs } from 'node:util';
import { readStates, readUserIds } from '../../../libs/store/src/index.js';
import { Refusal, say } from '../../machine.js';
import { Progress } from '../progress.js';
import type { Broker } from './broker.js';
import { withBroker } from './broker.js';
import { selectionOf } from './selection.js';

export const snapshotHelp = `  events snapshot (--all | --entity ID | --user ID …) [--dry-run]
      Tells the states topic the state of each user as it is now: after the topic was made anew, or lost something. --dry-run
      only counts.`;

/** States of users with a thousand identities are large; a page of them is one send. */
const pageUsers = 100;

export async function snapshot(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      entity: { type: 'string' },
      user: { type: 'string', multiple: true },
      all: { type: 'boolean' },
      'dry-run': { type: 'boolean' },
    },
  });
  const { entityId, userIds } = selectionOf(values);
  const given = [entityId !== null, userIds !== null, values.all === true].filter(Boolean).length;
  if (given !== 1) throw new Refusal(`Say whose states: one of --all, --entity, --user.\n\n${snapshotHelp}`);
  const isDry = values['dry-run'] === true;
  return withBroker(async (broker) => {
    const progress = new Progress();
    let count = 0;
    for await (const { ids, epoch } of pagesOf(broker, entityId, userIds)) {
      count += isDry ? ids.length : await tell(broker, ids, epoch);
      progress.show(`${count} states`);
    }
    progress.end();
    say(isDry ? `${count} states would be told` : `${count} states told`);
    return 0;
  });
}

async function* pagesOf(
  { database }: Broker,
  entityId: string | null,
  userIds: readonly string[] | null,
): AsyncGenerator<{ readonly ids: readonly string[]; readonly epoch: number }> {
  const { epoch } = await readUserIds(database, { entityId: null, after: null, limit: 1 });
  if (userIds !== null) {
    for (let start = 0; start < userIds.length; start += pageUsers)
      yield { ids: userIds.slice(start, start + pageUsers), epoch };
    return;
  }
  for (let after: string | null = null; ;) {
    const page = await readUserIds(database, { entityId, after, limit: pageUsers });
    yield { ids: page.ids, epoch };
    after = page.ids.at(-1) ?? null;
    if (page.ids.length < pageUsers) return;
  }
}

/**
 * The relay tells states too, and ours must not be the last word where it is the older one. So whoever has changed since
 * their state was read is told again: what the relay told meanwhile was read before, and what it tells later is newer.
 */
async function tell({ database, records, send }: Broker, userIds: readonly string[], epoch: number): Promise<number> {
  const toldOf = new Map<string, number | null>();
  for (let left = userIds; left.length > 0;) {
    const states = await readStates(database, left, epoch);
    const newer = states.filter(({ event }) => toldOf.get(event.key) !== event.version);
    if (newer.length > 0) await send(newer.map((state) => records.ofState(state)));
    for (const { event } of newer) toldOf.set(event.key, event.version);
    left = newer.map(({ event }) => event.key);
  }
  return toldOf.size;
}
