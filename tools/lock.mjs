import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

/**
 * A lock that belongs to a running process: a file with its pid and the moment it was born. The birth is there because
 * pids come round again, quickly inside containers, and a lock must not wait for a stranger.
 */

/** The process's start in clock ticks since boot, where the system tells it; '' elsewhere. */
function birthOf(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  } catch {
    return '';
  }
}

function isAlive({ pid, birth }) {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (error.code === 'ESRCH') return false;
  }
  return birth === '' || birthOf(pid) === birth;
}

function ownerOf(path) {
  try {
    const [pid, birth] = readFileSync(path, 'utf8').trim().split(' ');
    return { pid: Number(pid), birth: birth ?? '' };
  } catch (error) {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  }
}

/**
 * Takes the lock, or names the living process that has it.
 * @param {string} path
 * @returns {{ taken: true, release: () => void } | { taken: false, pid: number }}
 */
export function tryLock(path) {
  mkdirSync(dirname(path), { recursive: true });
  const draft = `${path}.${process.pid}`;
  writeFileSync(draft, `${process.pid} ${birthOf(process.pid)}\n`);
  try {
    for (;;) {
      try {
        // A hard link appears whole or not at all, so nobody ever reads a lock without an owner in it.
        linkSync(draft, path);
        return { taken: true, release: () => rmSync(path, { force: true }) };
      } catch (error) {
        if (error.code !== 'EEXIST') throw error;
      }
      const owner = ownerOf(path);
      if (owner === undefined) continue;
      if (isAlive(owner)) return { taken: false, pid: owner.pid };
      bury(path, owner);
    }
  } finally {
    rmSync(draft, { force: true });
  }
}

/** Removes a dead process's lock; if a quicker heir has taken it meanwhile, the heir's lock is put back. */
function bury(path, dead) {
  const grave = `${path}.dead.${process.pid}`;
  try {
    renameSync(path, grave);
  } catch (error) {
    if (error.code === 'ENOENT') return;
    throw error;
  }
  const buried = ownerOf(grave);
  if (buried !== undefined && (buried.pid !== dead.pid || buried.birth !== dead.birth)) {
    try {
      linkSync(grave, path);
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
  }
  rmSync(grave, { force: true });
}

/**
 * Waits for the lock. `onWait` is told once whose work is waited for.
 * @param {string} path
 * @param {{ timeoutMs: number, onWait: (pid: number) => void }} options
 */
export async function lock(path, { timeoutMs, onWait }) {
  const until = Date.now() + timeoutMs;
  let told = false;
  for (;;) {
    const attempt = tryLock(path);
    if (attempt.taken) return attempt.release;
    if (!told) onWait(attempt.pid);
    told = true;
    if (Date.now() > until) throw new Error(`${path} is held by process ${attempt.pid} for too long; is it stuck?`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}
