import { mkdtempSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Child, type Ending, startChild } from '../../tools/child.js';
import { freePort, root } from '../../tools/machine.js';
import { services } from './services.js';
import { until } from './until.js';

/** The product's own processes, as they ship: dist/apps/<name>/src/main.js with an environment, on a free port. */

export const operatorKey = 'operator-key-of-the-specs-0123456789abcdef';
/** 32 bytes, the same in every spec: what one process encrypted another one reads. */
export const secretsKey = Buffer.alloc(32, 7).toString('base64');

export interface AppOptions {
  readonly databaseUrl?: string;
  /** Over the defaults; an empty string unsets one. */
  readonly env?: Readonly<Record<string, string>>;
  readonly port?: number;
  /** Wait until /readyz says yes (default for api and relay), or only until /livez does. */
  readonly waitFor?: 'readyz' | 'livez' | 'nothing';
}

export interface App {
  readonly name: string;
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  readonly logFile: string;
  readonly exited: Promise<Ending>;
  /** SIGTERM; gives back how it ended. */
  stop(): Promise<Ending>;
  /** SIGKILL. */
  kill(): Promise<Ending>;
  /** SIGSTOP: the process stands still and keeps its connections, as in a long pause of the machine. */
  pause(): void;
  resume(): void;
  /** Its log so far: pino's lines parsed, others as { text }. */
  logs(): readonly LogLine[];
}

export type LogLine = Readonly<Record<string, unknown>>;

/** Under dist. */
const programs = {
  api: 'apps/api/src/main.js',
  relay: 'apps/relay/src/main.js',
  sandbox: 'apps/sandbox/src/main.js',
  sibling: 'apps/sibling/src/main.js',
  follower: 'test/follower/main.js',
} as const;
type AppName = keyof typeof programs;

export const startApi = (options: AppOptions): Promise<App> => startApp('api', { waitFor: 'readyz', ...options });

/** With the test run's broker unless the options say otherwise. */
export const startRelay = (options: AppOptions): Promise<App> =>
  startApp('relay', {
    waitFor: 'readyz',
    ...options,
    env: { KAFKA_BROKERS: services.kafkaBrokers, ...options.env },
  });

export const startSandbox = (options: AppOptions = {}): Promise<App> =>
  startApp('sandbox', { waitFor: 'livez', ...options });

/** Wants IDENTITY_URL and IDENTITY_API_KEY in `env`; follows Kafka where KAFKA_BROKERS is there too. */
export const startSibling = (options: AppOptions): Promise<App> =>
  startApp('sibling', { waitFor: 'livez', ...options });

/** The specs' own service on the consumer kit, with the test run's broker unless the options say otherwise. */
export const startFollower = (options: AppOptions): Promise<App> =>
  startApp('follower', {
    waitFor: 'readyz',
    ...options,
    env: { KAFKA_BROKERS: services.kafkaBrokers, ...options.env },
  });

/**
 * No source maps, which cost half of what a start takes; room for what a start throws away; and Prisma's WebAssembly as
 * the first compiler leaves it.
 */
const forShortLives = ['--min-semi-space-size=32', '--no-wasm-tier-up'];
const START_TIMEOUT_MS = 90_000;
const running = new Set<Child>();

async function startApp(name: AppName, { databaseUrl, env, port: wanted, waitFor }: AppOptions): Promise<App> {
  const port = wanted ?? (await freePort());
  const url = `http://127.0.0.1:${port}`;
  const logFile = join(mkdtempSync(join(services.folder, `${name}-`)), 'log');
  const child = startChild({
    name,
    command: process.execPath,
    args: [...forShortLives, join(root, 'dist', programs[name])],
    env: environmentOf(databaseUrl, port, env),
    logFile,
    ownGroup: false,
  });
  running.add(child);
  if (waitFor !== 'nothing') await untilAnswers(child, `${url}/${waitFor ?? 'livez'}`);
  return {
    name,
    url,
    port,
    pid: child.pid,
    logFile,
    exited: child.exited,
    stop: () => child.stop(),
    kill: () => child.kill(),
    pause: () => child.signal('SIGSTOP'),
    resume: () => child.signal('SIGCONT'),
    logs: () => readLog(logFile),
  };
}

/** Only what is named here reaches the process: a setting of the machine must not decide a spec. */
function environmentOf(databaseUrl: string | undefined, port: number, env: AppOptions['env']): NodeJS.ProcessEnv {
  const wanted: Record<string, string> = {
    PATH: process.env.PATH ?? '',
    NODE_ENV: 'test',
    HOST: '127.0.0.1',
    PORT: String(port),
    OPERATOR_API_KEY: operatorKey,
    SECRETS_KEY: secretsKey,
    LOG_LEVEL: 'info',
    ...(databaseUrl === undefined ? {} : { DATABASE_URL: databaseUrl }),
    ...env,
  };
  return Object.fromEntries(Object.entries(wanted).filter(([, value]) => value !== ''));
}

async function untilAnswers(child: Child, url: string): Promise<void> {
  const answered = until(
    async () => {
      if (child.ending !== undefined) return true;
      const response = await fetch(url, { signal: AbortSignal.timeout(2_000) });
      await response.arrayBuffer();
      return response.ok;
    },
    { timeoutMs: START_TIMEOUT_MS, what: `${child.name} to answer 200 at ${url}` },
  );
  try {
    await answered;
  } catch (error) {
    await child.kill();
    throw new Error(`${String(error)}\nThe end of ${child.logFile}:\n${child.tail()}`, { cause: error });
  }
  if (child.ending !== undefined) throw new Error(child.describeEnding());
}

function readLog(file: string): readonly LogLine[] {
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      try {
        const parsed: LogLine = JSON.parse(line);
        return parsed;
      } catch {
        return { text: line };
      }
    });
}

/**
 * Whatever a spec file started ends with it. Should Jest itself be killed, tools/test.ts ends the whole process group
 * these belong to.
 */
afterAll(async () => {
  const hasFailed = Reflect.get(globalThis, 'hasFailed') === true;
  for (const child of running) {
    if (hasFailed) process.stderr.write(`\n--- ${child.name}, the end of ${child.logFile}:\n${child.tail()}\n`);
    await child.kill();
  }
  running.clear();
});
