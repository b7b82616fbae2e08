import { parseArgs } from 'node:util';
import type { SealBreak } from '#store';
import { readSealedEntities, verifySeals } from '#store';
import { Refusal, say } from '../machine.js';
import { withDatabase } from './database.js';
import { Progress } from './progress.js';

export const help = `audit verify [--entity <id>] [--head <seq>:<hash>] [--pause <ms>]

Walks the chain of seals behind the journal, entity by entity, and names the first link that is broken: an entry that was
changed, removed, or put in afterwards. An erasure breaks nothing. Prints the head of each chain: note it elsewhere and
give it as --head next time, and a chain that was written anew as a whole is found out too.

Exit code 0: every chain is whole. 1: one is broken.`;

/** An operator watches; what the service needs comes first. */
const pauseMsDefault = 20;

export async function run(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { entity: { type: 'string' }, head: { type: 'string' }, pause: { type: 'string' } },
  });
  if (positionals.join(' ') !== 'verify') throw new Refusal(help);
  const expected = values.head === undefined ? null : headOf(values.head);
  if (expected !== null && values.entity === undefined) throw new Refusal('--head is of one entity: give --entity too');
  const pauseMs = Number(values.pause ?? pauseMsDefault);
  return withDatabase(async (database) => {
    const entities = values.entity === undefined ? await readSealedEntities(database) : [values.entity];
    let broken = 0;
    for (const entityId of entities) {
      const found = await walk(verifySeals(database, { entityId, expected, pauseMs }), entityId);
      if (found === null) continue;
      broken += 1;
      say(describe(found));
    }
    say(broken === 0 ? `${entities.length} chains are whole` : `${broken} of ${entities.length} chains are broken`);
    return broken === 0 ? 0 : 1;
  });
}

async function walk(steps: ReturnType<typeof verifySeals>, entityId: string): Promise<SealBreak | null> {
  const progress = new Progress();
  let head = 'no seal yet';
  for (;;) {
    const { done, value } = await steps.next();
    if (done === true) {
      progress.end();
      if (value === null) say(`${entityId}: whole; ${head}`);
      return value;
    }
    const { seals, entries } = value;
    if (seals > 0) head = `${seals} seals over ${entries} entries, head ${value.head.seq}:${value.head.hash}`;
    progress.show(`${entityId}: ${seals} seals, ${entries} entries`);
  }
}

function describe({ entityId, seq, journalId, what }: SealBreak): string {
  const where = [seq === null ? null : `seal ${seq}`, journalId === null ? null : `journal entry ${journalId}`];
  return `${entityId}: BROKEN at ${where.filter((part) => part !== null).join(', ')}: ${what}`;
}

function headOf(text: string): { seq: number; hash: string } {
  const [, seq, hash] = /^(\d{1,15}):([0-9a-f]{64})$/.exec(text) ?? [];
  if (seq === undefined || hash === undefined) throw new Refusal(`--head is <seq>:<64 hex digits>, not "${text}"`);
  return { seq: Number(seq), hash };
}
