import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { root } from './machine.js';
import { join } from 'node:path';

/** The secrets of a private start, made up once and kept beside the data they open, for their owner's eyes only. */
export interface Keys {
  readonly operatorApiKey: string;
  readonly secretsKey: string;
  readonly postgresPassword: string;
  /** The sample app's own key, as the service gave it. */
  readonly siblingApiKey?: string;
}

export const keysFile = join(root, '.data', 'keys.json');

export function readOrMakeKeys(): Keys {
  if (existsSync(keysFile)) {
    const kept: Keys = JSON.parse(readFileSync(keysFile, 'utf8'));
    return kept;
  }
  const made: Keys = {
    operatorApiKey: `op_${randomBytes(24).toString('base64url')}`,
    secretsKey: randomBytes(32).toString('base64'),
    postgresPassword: randomBytes(24).toString('base64url'),
  };
  writeKeys(made);
  return made;
}

/** Whole or not at all: half a keys file would lock the data away. */
export function writeKeys(keys: Keys): void {
  const draft = `${keysFile}.${process.pid}`;
  writeFileSync(draft, `${JSON.stringify(keys, null, 2)}\n`, { mode: 0o600 });
  renameSync(draft, keysFile);
}
