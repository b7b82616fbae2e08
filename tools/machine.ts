import { randomInt } from 'node:crypto';
import { mkdirSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { homedir, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { root } from '#settings';

export { root };

/** Something the person at the keyboard can mend: printed as it stands, without a stack trace. */
export class Refusal extends Error {}

export const say = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

/** Runs a tool to its exit code: a refusal is one clear line, a bug keeps its stack. */
export async function runTool(tool: () => Promise<number>): Promise<void> {
  try {
    process.exitCode = await tool();
  } catch (error) {
    const text = error instanceof Refusal ? error.message : error instanceof Error ? error.stack : String(error);
    process.stderr.write(`${text}\n`);
    process.exitCode = 1;
  }
}

const PORT_MIN = 20_000;
/** Below the range from which Linux gives ports to outgoing connections, so that no client sits on a port we return to. */
const PORT_MAX = 32_000;
const PORT_TRIES_MAX = 50;

/** A TCP port of 127.0.0.1 that is free now: the preferred one, else a random one, so that two runs seldom meet. */
export async function freePort(preferred?: number): Promise<number> {
  if (preferred !== undefined && (await isFree(preferred))) return preferred;
  for (let tries = 0; tries < PORT_TRIES_MAX; tries++) {
    const port = randomInt(PORT_MIN, PORT_MAX);
    if (await isFree(port)) return port;
  }
  throw new Refusal(`No free port between ${PORT_MIN} and ${PORT_MAX} in ${PORT_TRIES_MAX} tries`);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

/** Where fetched things are kept for all clones of this user; made if it is not there. */
export function cacheFolder(): string {
  const folder = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'unionlink');
  try {
    mkdirSync(folder, { recursive: true });
    return folder;
  } catch {
    // A system account without a home. In a folder open to everybody, only one of our own can be trusted.
    const own = join(tmpdir(), `unionlink-cache-${process.getuid?.() ?? 0}`);
    mkdirSync(own, { recursive: true, mode: 0o700 });
    if (statSync(own).uid !== process.getuid?.())
      throw new Refusal(`${own} belongs to somebody else; set XDG_CACHE_HOME`);
    return own;
  }
}

export interface Account {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/** PostgreSQL refuses to run as root, so root lends it one of these: its own account, else the one that owns nothing. */
export function unprivilegedAccount(): Account | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const lines = readFileSync('/etc/passwd', 'utf8').split('\n');
  for (const wanted of ['postgres', 'nobody']) {
    const [name, , uid, gid] = lines.find((line) => line.startsWith(`${wanted}:`))?.split(':') ?? [];
    if (name !== undefined) return { name, uid: Number(uid), gid: Number(gid) };
  }
  throw new Refusal(
    'PostgreSQL does not run as root, and there is no account "postgres" or "nobody" to run it as. Add one (useradd --system postgres), run as an ordinary user, or set DATABASE_URL.',
  );
}

/** Whether the account may walk down to this path: each folder above it must let it through, as /root seldom does. */
export function isReachable(path: string, account: Account): boolean {
  for (let folder = realpathSync(path); ; folder = dirname(folder)) {
    const { mode, uid, gid } = statSync(folder);
    const walk = uid === account.uid ? 0o100 : gid === account.gid ? 0o010 : 0o001;
    if ((mode & walk) === 0) return false;
    if (folder === dirname(folder)) return true;
  }
}
