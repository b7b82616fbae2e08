import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { lock } from './lock.mjs';

/**
 * Makes a fresh clone runnable, and says nothing where it is: installs, generates the Prisma client, compiles. Plain
 * JavaScript over Node's own modules, because it runs before anything is installed.
 */

const root = fileURLToPath(new URL('..', import.meta.url));
const installStamp = join(root, 'node_modules', '.unionlink-lock');
const buildStamp = join(root, 'dist', '.stamp');
const schema = join(root, 'prisma', 'schema.prisma');
const generated = join(root, 'libs', 'store', 'src', 'generated');
const generatedStamp = join(generated, '.stamp');
/** A cold `npm ci` on a slow line and a build: longer than that and the owner is stuck. */
const WAIT_TIMEOUT_MS = 15 * 60_000;

const say = (line) => process.stderr.write(`${line}\n`);
const textOf = (path) => (existsSync(path) ? readFileSync(path, 'utf8') : undefined);
const hashOf = (text) => createHash('sha256').update(text).digest('hex');

export async function prepare() {
  refuseOldNode();
  // A production image holds dist and no compiler; there is nothing to prepare and nothing to prepare it with.
  if (process.env.UNIONLINK_PREPARED === '1') return;
  if (isPrepared()) return;
  const release = await lock(join(root, '.cache', 'prepare.lock'), {
    timeoutMs: WAIT_TIMEOUT_MS,
    onWait: (pid) => say(`prepare: waiting for process ${pid}, which is preparing this clone`),
  });
  try {
    // Looked at again with the lock in hand: whoever had it before may have done the work.
    if (!isInstalled()) install();
    if (!isGenerated()) generate();
    if (!isBuilt()) build();
  } catch (error) {
    if (!(error instanceof StepFailed)) throw error;
    say(`prepare: ${error.message}`);
    process.exitCode = 1;
    release();
    process.exit();
  } finally {
    release();
  }
}

const isPrepared = () => isInstalled() && isGenerated() && isBuilt();

function refuseOldNode() {
  const { engines } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const [major, minor] = process.versions.node.split('.').map(Number);
  const fits = engines.node.split('||').some((range) => {
    const [, caret, wantedMajor, wantedMinor] = /^\s*(\^|>=)(\d+)\.(\d+)/.exec(range) ?? [];
    if (caret === undefined)
      throw new Error(`package.json: engines.node holds a range this check cannot read: ${range}`);
    const enough = major === Number(wantedMajor) && minor >= Number(wantedMinor);
    return enough || (caret === '>=' && major > Number(wantedMajor));
  });
  if (fits) return;
  say(
    `Node ${process.versions.node} is running; Unionlink needs ${engines.node}. Get one from nodejs.org or with nvm.`,
  );
  process.exit(1);
}

/** The lock file's hash is remembered; a node_modules that somebody else installed is compared once, by its contents. */
function isInstalled() {
  const wanted = textOf(join(root, 'package-lock.json'));
  if (wanted === undefined) throw new Error('package-lock.json is missing: this is not a whole clone');
  const stamp = textOf(installStamp);
  if (stamp !== undefined) return stamp === hashOf(wanted);
  const found = textOf(join(root, 'node_modules', '.package-lock.json'));
  if (found === undefined || !isSameInstall(JSON.parse(wanted).packages, JSON.parse(found).packages)) return false;
  stampInstall(wanted);
  return true;
}

function isSameInstall(wanted, found) {
  return Object.entries(wanted).every(
    ([path, { version, optional }]) => path === '' || optional || found[path]?.version === version,
  );
}

function stampInstall(lockFile) {
  try {
    writeFileSync(installStamp, hashOf(lockFile));
  } catch {
    // Somebody else's read-only node_modules is good enough to run from; it is compared again next time.
  }
}

function install() {
  say('prepare: installing what package-lock.json names (once)');
  run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error']);
  stampInstall(readFileSync(join(root, 'package-lock.json'), 'utf8'));
}

function isGenerated() {
  const wanted = textOf(schema);
  return wanted === undefined || textOf(generatedStamp) === hashOf(wanted);
}

function generate() {
  say('prepare: generating the Prisma client');
  // Prisma fetches its schema engine from the network first, though generating needs only what is in the package.
  run(process.execPath, [binary('prisma'), 'generate', '--schema', schema], {
    PRISMA_SCHEMA_ENGINE_BINARY: '/bin/true',
    PRISMA_HIDE_UPDATE_MESSAGE: '1',
  });
  mkdirSync(generated, { recursive: true });
  writeFileSync(generatedStamp, hashOf(readFileSync(schema, 'utf8')));
}

const isBuilt = () => textOf(buildStamp) === fingerprint();

function build() {
  say('prepare: compiling');
  const before = fingerprint();
  run(process.execPath, [binary('@nestjs/cli', 'nest'), 'build']);
  run(process.execPath, [join(root, 'tools', 'bundle.mjs')]);
  // Written last: a build that was cut short leaves no stamp. And of what was there when it began, so that a file
  // saved while it ran is compiled the next time.
  writeFileSync(`${buildStamp}.${process.pid}`, before);
  renameSync(`${buildStamp}.${process.pid}`, buildStamp);
}

/** Paths, sizes and times of all that the compiler reads. Reading times is cheap, and a needless build only costs seconds. */
function fingerprint() {
  const lines = ['tsconfig.json', 'nest-cli.json', 'package.json'].map((name) => describe(join(root, name)));
  for (const room of ['apps', 'libs', 'test', 'tools']) collect(join(root, room), lines);
  return hashOf(lines.join('\n'));
}

function collect(folder, lines) {
  if (!existsSync(folder)) return;
  const entries = readdirSync(folder, { withFileTypes: true }).toSorted((a, b) => (a.name < b.name ? -1 : 1));
  for (const entry of entries) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) collect(path, lines);
    else if (/\.(ts|json)$/.test(entry.name)) lines.push(describe(path));
  }
}

function describe(path) {
  const { mtimeMs, size } = statSync(path);
  return `${relative(root, path)} ${mtimeMs} ${size}`;
}

/** The script behind a package's command, run by this very Node: no shell and no PATH in between. */
function binary(packageName, command = packageName) {
  const home = join(root, 'node_modules', packageName);
  const { bin } = JSON.parse(readFileSync(join(home, 'package.json'), 'utf8'));
  return join(home, typeof bin === 'string' ? bin : bin[command]);
}

function run(command, args, environment = {}) {
  const shown = `${command === process.execPath ? 'node' : command} ${args.map((arg) => relative(root, arg) || arg).join(' ')}`;
  const result = spawnSync(command, args, {
    cwd: root,
    // Standard output belongs to the command that is being prepared, which may print JSON.
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, PATH: `${dirname(process.execPath)}:${process.env.PATH ?? ''}`, ...environment },
    maxBuffer: 64 * 1024 * 1024,
  });
  if (result.status === 0) return;
  say(`${result.stdout ?? ''}${result.stderr ?? ''}`);
  throw new StepFailed(`"${shown}" failed: ${result.error?.message ?? `exit code ${result.status}`}`);
}

/** A step that said itself what is wrong; a stack trace would only hide it. */
class StepFailed extends Error {}

if (process.argv[1] === fileURLToPath(import.meta.url)) await prepare();
