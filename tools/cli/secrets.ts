import { reseal } from '#identity';
import { Refusal, say } from '../machine.js';
import { commandLine, withInstallation } from './installation.js';

export const help = `secrets: what is sealed with SECRETS_KEY in the database

  secrets reseal    seals everything with SECRETS_KEY that is still under SECRETS_KEY_PREVIOUS, while everything runs.
                    Can be repeated; ends with 1 where something is left that neither key opens.

DATABASE_URL, SECRETS_KEY and SECRETS_KEY_PREVIOUS as for the API; the steps of a rotation are in docs/operating.md.`;

export async function run(args: readonly string[]): Promise<number> {
  if (args.length !== 1 || args[0] !== 'reseal') throw new Refusal(help);
  const reports = await withInstallation(({ database, sealer }) => reseal(database, sealer, commandLine));
  for (const { name, resealed, current, failed } of reports) {
    say(`${name.padEnd(24)} ${resealed} resealed, ${current} under the present key already`);
    for (const key of failed) say(`${name.padEnd(24)} ${key}: left as it was, neither key opens it`);
  }
  const left = reports.reduce((all, { failed }) => all + failed.length, 0);
  say(left === 0 ? 'everything is sealed with SECRETS_KEY' : `${left} left`);
  return left === 0 ? 0 : 1;
}
