import { parseArgs } from 'node:util';
import type { Examined, Invariant, Violation } from '#store';
import { examine, requestStates } from '#store';
import { Refusal, say } from '../machine.js';
import { withDatabase } from './database.js';
import { Progress } from './progress.js';

export const help = `doctor: looks whether what must always hold does (G1 to G7 and G10 of the contract)

  doctor [--pause MS] [--repair]

Walks the tables in short read-only statements with a pause between them (default 20 ms), so it may run beside traffic. Where
KAFKA_BROKERS is set, it also compares the last record of everybody on the states topic with the tables. Each violation is
named with the ids concerned and with what to look at.

  --repair   asks the relay to tell again the states of the users whose records on the states topic are wrong. Nothing else
             is ever changed: what the tables hold is for a human to decide.

DATABASE_URL and, where KAFKA_BROKERS is set, everything else as for the relay. Exit code 0: nothing found. 1: something was.`;

/** Where a human goes on from there. */
const advice: Readonly<Record<Invariant, string>> = {
  G1: 'look at GET /v1/users/{id}/history of the users named; link or unlink the identity by hand (/v1/identities)',
  G2: 'look at the users named; where they are one person, merge them (POST /v1/merges), else re-key one (POST /v1/imports, union_ids)',
  G3: 'look at GET /v1/merges?userId={id} and at the history of both; revert the merge that left it so',
  G4: 'look at the merge, split or unlink of that entry (GET /v1/users/{id}/history); revert it, or link what was lost by hand',
  G5: 'the tables or the last event were changed past the service: npm run cli -- audit verify tells whether it was the event',
  G6: 'an event and its change disagree: restore the user from a backup, or step it by hand so that consumers follow',
  G7: 'entries of the journal are missing or doubled: npm run cli -- audit verify names them; restore them from a backup',
  G10: 'a step has no entry that tells of it: npm run cli -- audit verify names it; restore it from a backup',
};
const topicAdvice = 'npm run cli -- doctor --repair asks the relay to tell the state once more';

const namedMax = 1_000;

export async function run(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { pause: { type: 'string', default: '20' }, repair: { type: 'boolean', default: false } },
  });
  const pauseMs = Number(values.pause);
  if (positionals.length > 0 || !Number.isInteger(pauseMs) || pauseMs < 0) throw new Refusal(help);
  const topicUsers: string[] = [];
  const found = await withDatabase(
    async (database) => {
      const inTables = await report(examine(database, pauseMs), ({ rule }) => advice[rule]);
      if ((process.env.KAFKA_BROKERS ?? '') === '') return inTables;
      const { examineTopic, isUserId } = await import('./doctor-topic.js');
      const onTopic = await report(examineTopic(database), ({ ids }) => {
        topicUsers.push(...ids.filter(isUserId));
        return topicAdvice;
      });
      return inTables + onTopic;
    },
    { isReadOnly: true },
  );
  say(found === 0 ? 'nothing found: all of it holds' : `${found} violations`);
  if (values.repair && topicUsers.length > 0) {
    await withDatabase((database) => requestStates(database, topicUsers));
    say(`the relay is asked to tell ${topicUsers.length} states once more`);
  }
  return found === 0 ? 0 : 1;
}

async function report(steps: AsyncGenerator<Examined, void>, adviceOf: (one: Violation) => string): Promise<number> {
  const progress = new Progress();
  let found = 0;
  for await (const { walk, rows, violations } of steps) {
    for (const violation of violations) {
      const todo = adviceOf(violation);
      found += 1;
      if (found > namedMax) continue;
      progress.end();
      say(`${violation.rule}  ${violation.what}: ${violation.ids.join(', ')}\n    ${todo}`);
    }
    progress.show(`${walk}: ${rows} rows, ${found} violations`);
  }
  progress.end();
  if (found > namedMax) say(`… and ${found - namedMax} more`);
  return found;
}
