import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { tryLock } from './lock.mjs';
import { stopWithNpm } from './npm.mjs';
import { prepare } from './prepare.mjs';

/**
 * `npm start`: one at a time in a folder, because the data under .data/ has one owner. The lock is taken before anything
 * is built, so that a second start does not compile under the feet of the first.
 */

const root = fileURLToPath(new URL('..', import.meta.url));
const attempt = tryLock(join(root, '.data', 'start.lock'));
if (attempt.taken) {
  process.once('exit', attempt.release);
  stopWithNpm();
  await prepare();
  process.setSourceMapsEnabled(true);
  await import(new URL('../dist/tools/start.js', import.meta.url).href);
} else {
  process.stderr.write(
    `npm start already runs in this folder (process ${attempt.pid}). Stop that one first, or start in another clone: it takes other ports and its own data.\n`,
  );
  process.exitCode = 1;
}
