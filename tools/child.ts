import { type ChildProcess, type SpawnOptions, spawn, spawnSync } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { root } from './machine.js';
import { until } from './until.js';

export interface ChildSettings {
  /** What people call it: stands in messages. */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  /** Standard output and error go here, appended; without one, to our own. */
  readonly logFile?: string;
  /** Root only: run as this user. */
  readonly uid?: number;
  readonly gid?: number;
  /**
   * A group of its own, so that Ctrl-C at the terminal reaches us alone and we stop things in order. A test's processes
   * stay in the group of the test run instead, which is ended as a whole.
   */
  readonly ownGroup?: boolean;
}

export interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A process that we started and may therefore end, by its pid and by nothing else. */
export class Child {
  readonly exited: Promise<Ending>;
  #ending: Ending | undefined;

  constructor(
    readonly name: string,
    readonly logFile: string | undefined,
    private readonly handle: ChildProcess,
  ) {
    this.exited = new Promise((resolve) => {
      handle.once('exit', (code, signal) => {
        this.#ending = { code, signal };
        leash.loosen(this.pid);
        resolve(this.#ending);
      });
      handle.once('error', () => {
        this.#ending ??= { code: 127, signal: null };
        resolve(this.#ending);
      });
    });
  }

  get pid(): number {
    return this.handle.pid ?? -1;
  }

  get ending(): Ending | undefined {
    return this.#ending;
  }

  signal(signal: NodeJS.Signals): void {
    if (this.#ending === undefined) this.handle.kill(signal);
  }

  /** Asks it to stop and waits; after `graceMs` it is killed. */
  async stop({ signal = 'SIGTERM', graceMs = 15_000 }: { signal?: NodeJS.Signals; graceMs?: number } = {}) {
    this.signal(signal);
    // A paused process would never see the signal.
    this.signal('SIGCONT');
    const timer = setTimeout(() => this.signal('SIGKILL'), graceMs);
    const ending = await this.exited;
    clearTimeout(timer);
    return ending;
  }

  async kill(): Promise<Ending> {
    this.signal('SIGKILL');
    return this.exited;
  }

  /** Ends whatever is left of its process group, which it leads: children that a killed process could not end itself. */
  endGroup(): void {
    try {
      process.kill(-this.pid, 'SIGKILL');
    } catch (error) {
      // ESRCH: nobody is left, as it should be.
      if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
    }
  }

  /** The end of its log. */
  tail(lines = 30): string {
    if (this.logFile === undefined || !existsSync(this.logFile)) return '';
    return readFileSync(this.logFile, 'utf8').trimEnd().split('\n').slice(-lines).join('\n');
  }

  /** A sentence about how it ended, with the end of its log. */
  describeEnding(): string {
    const { code, signal } = this.#ending ?? { code: null, signal: null };
    const how = signal === null ? `exit code ${code}` : `signal ${signal}`;
    const log = this.logFile === undefined ? '' : ` The end of ${this.logFile}:\n${this.tail()}`;
    return `${this.name} ended with ${how}.${log}`;
  }
}

export function startChild(settings: ChildSettings): Child {
  const { name, command, args, env, logFile, ownGroup = true } = settings;
  const log = logFile === undefined ? 'inherit' : openSync(logFile, 'a');
  const started = spawn(command, args, {
    env: env ?? process.env,
    cwd: settings.cwd ?? root,
    stdio: ['ignore', log, log],
    detached: ownGroup,
    ...(settings.uid === undefined ? {} : { uid: settings.uid }),
    ...(settings.gid === undefined ? {} : { gid: settings.gid }),
  });
  if (typeof log === 'number') closeSync(log);
  const child = new Child(name, logFile, started);
  if (ownGroup && started.pid !== undefined) leash.tie(started.pid);
  return child;
}

/** Longer than any part of ours takes to stop. */
const LEFTOVER_TIMEOUT_MS = 60_000;

/**
 * Stops a process that an earlier run left behind, if there is one: the pid is alive and its command line holds `mark`,
 * so it is ours and not a stranger who got the same number. False: there is none.
 */
export async function stopLeftover(leftover: {
  readonly pid: number;
  readonly mark: string;
  readonly signal: NodeJS.Signals;
}): Promise<boolean> {
  const { pid, mark, signal } = leftover;
  if (!commandOf(pid).includes(mark)) return false;
  process.kill(pid, signal);
  await until(() => !commandOf(pid).includes(mark), {
    timeoutMs: LEFTOVER_TIMEOUT_MS,
    what: `process ${pid}, left by an earlier run, to stop`,
  });
  return true;
}

/** The command line of a process, '' if there is none. */
function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
  } catch {
    // No such process, or a system without /proc.
    return spawnSync('ps', ['-o', 'command=', '-p', String(pid)], { encoding: 'utf8' }).stdout?.trim() ?? '';
  }
}

export interface Run {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end and collects what it says; `status` is null if it could not be run, or was killed. */
export function runToEnd(command: string, args: readonly string[], options: SpawnOptions = {}): Promise<Run> {
  return new Promise((resolve) => {
    const child = spawn(command, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    child.once('error', (error) => resolve({ status: null, stdout, stderr: `${stderr}${error.message}` }));
    child.once('close', (status) => resolve({ status, stdout, stderr }));
  });
}

/**
 * One small process that outlives us and ends what we started if we are killed without a chance to do it ourselves. It
 * knows that we are gone when its standard input closes.
 */
class Leash {
  #holder: ChildProcess | undefined;

  tie(pid: number): void {
    this.#holder ??= this.#start();
    this.#holder.stdin?.write(`+${pid}\n`);
  }

  loosen(pid: number): void {
    this.#holder?.stdin?.write(`-${pid}\n`);
  }

  #start(): ChildProcess {
    const script = fileURLToPath(new URL('../../tools/leash.mjs', import.meta.url));
    const holder = spawn(process.execPath, [script], { stdio: ['pipe', 'ignore', 'ignore'], detached: true });
    // It must not keep us running, and if it is gone we only lose the safety net.
    holder.unref();
    holder.stdin.on('error', () => undefined);
    if (holder.stdin instanceof Socket) holder.stdin.unref();
    return holder;
  }
}

const leash = new Leash();
