import { parseArgs } from 'node:util';
import { raiseEpoch } from '#store';
import { Refusal, say } from '../machine.js';
import { withDatabase } from './database.js';
import { commandLine } from './installation.js';

export const help = `restored: PostgreSQL was put back to an earlier moment

  restored [--at-least N]  raises the restore epoch, so that consumers take what is told from now on for newer than what
                           they heard before; --at-least: above every ce_epoch in Kafka, where the backup is older than
                           the last restore

Once, after the restore and before the API and the relay are started: refused while one of them is connected. What to do
then is in docs/operating.md, "Backup and restore". DATABASE_URL as for the API.`;

const epochMax = 1_000_000_000;

export async function run(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({ args: [...args], options: { 'at-least': { type: 'string', default: '1' } } });
  const atLeast = Number(values['at-least']);
  if (!/^\d{1,10}$/.test(values['at-least']) || atLeast > epochMax)
    throw new Refusal(`--at-least takes a whole number up to ${epochMax}`);
  return withDatabase(async (database) => {
    const raised = await raiseEpoch(database, { atLeast, ...commandLine });
    if (raised === null)
      throw new Refusal('nothing was done: an API or a relay is connected; what it tells would have the old epoch');
    say(`the restore epoch is ${raised.to}, it was ${raised.from}; now start the API and the relay`);
    return 0;
  });
}
