import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { root } from '../../tools/machine.js';
import { secretsKey } from './processes.js';

export interface CliEnding {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** `npm run cli -- …` to its end, on this database, with nothing of the machine's environment. */
export function runCli(
  databaseUrl: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<CliEnding> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [join(root, 'dist', 'tools', 'cli.js'), ...args],
      { env: { PATH: process.env.PATH ?? '', DATABASE_URL: databaseUrl, SECRETS_KEY: secretsKey, ...env } },
      (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 1;
        resolve({ code, stdout, stderr });
      },
    );
  });
}
