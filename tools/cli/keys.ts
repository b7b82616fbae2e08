import { parseArgs } from 'node:util';
import { publishAheadSeconds, SigningKeys } from '#identity';
import { Refusal, say } from '../machine.js';
import { commandLine, withInstallation } from './installation.js';

export const help = `keys: the keys that sign login sessions

  keys list                     the published keys, newest first
  keys rotate [--ahead SECONDS] publishes a new key now and signs with it ${publishAheadSeconds} s later, when verifiers have it;
                                --ahead 0 signs with it at once (verifiers fetch the keys again for an unknown kid)
  keys withdraw KID             for a key that has leaked: every token it signed is void. Rotate first.

DATABASE_URL and SECRETS_KEY as for the API.`;

export async function run(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { ahead: { type: 'string', default: String(publishAheadSeconds) } },
  });
  const [what, kid] = positionals;
  return withInstallation(async ({ database, sealer }) => {
    const keys = new SigningKeys(database, sealer, 0);
    if (what === 'list' && kid === undefined) return list(keys);
    if (what === 'rotate' && kid === undefined) return rotate(keys, secondsOf(values.ahead));
    if (what === 'withdraw' && kid !== undefined) return withdraw(keys, kid);
    throw new Refusal(help);
  });
}

async function list(keys: SigningKeys): Promise<number> {
  for (const { kid, signsFrom } of await keys.list()) say(`${kid}  signs from ${signsFrom.toISOString()}`);
  return 0;
}

async function rotate(keys: SigningKeys, aheadSeconds: number): Promise<number> {
  const made = await keys.rotate(aheadSeconds, commandLine);
  if (made === null) throw new Refusal('nothing was done: a new key is published already and has yet to begin to sign');
  say(`${made.kid} is published and signs in ${aheadSeconds} s`);
  return 0;
}

async function withdraw(keys: SigningKeys, kid: string): Promise<number> {
  if (!(await keys.withdraw(kid, commandLine))) throw new Refusal('no such key, or it signs still: rotate first');
  say(`${kid} is withdrawn: verifiers refuse its tokens once they have fetched the keys again (5 to 10 minutes)`);
  return 0;
}

function secondsOf(text: string): number {
  const seconds = Number(text);
  if (!/^\d{1,6}$/.test(text)) throw new Refusal('--ahead takes whole seconds, 0 to 999999');
  return seconds;
}
