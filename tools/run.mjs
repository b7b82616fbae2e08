import { pathToFileURL, fileURLToPath } from 'node:url';
import { join } from 'node:path';
import { stopWithNpm } from './npm.mjs';
import { prepare } from './prepare.mjs';

/** `node tools/run.mjs <file under dist> [args]`: prepares the clone, then becomes that program; no child in between, so signals reach it. */

const [entry, ...args] = process.argv.slice(2);
if (entry === undefined) throw new Error('usage: node tools/run.mjs <file under dist> [args]');

stopWithNpm();
await prepare();
process.setSourceMapsEnabled(true);
const path = join(fileURLToPath(new URL('..', import.meta.url)), 'dist', entry);
process.argv = [process.argv[0], path, ...args];
await import(pathToFileURL(path).href);
