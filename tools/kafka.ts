import { createHash, randomUUID } from 'node:crypto';
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { Kafka, logLevel } from 'kafkajs';
import { type Child, runToEnd, startChild, stopLeftover } from './child.js';
import { Refusal, cacheFolder, freePort, root, say } from './machine.js';
import { until } from './until.js';

/**
 * A real, single Apache Kafka broker in KRaft mode, without Docker: the jars come through Maven once and are kept in a
 * cache; Java runs them. Broker and controller are one process on free ports of 127.0.0.1.
 */

export interface KafkaOptions {
  /** Everything of this broker is kept under it: settings, data, log. Made if it is not there. */
  readonly folder: string;
  /** Tried first; another free one is taken if somebody has it. */
  readonly port?: number;
  /** For brokers that live minutes: the compiler that only pays off later stays off. */
  readonly isShortLived?: boolean;
}

export interface KafkaBroker {
  /** As KAFKA_BROKERS takes it. */
  readonly brokers: string;
  readonly port: number;
  readonly pid: number;
  readonly child: Child;
  /** Where it comes from, for people. */
  readonly origin: string;
  /** SIGTERM: a controlled shutdown. */
  stop(): Promise<void>;
  /** kill -9, for tests. Start again on the same folder and port to recover. */
  kill(): Promise<void>;
}

const START_TIMEOUT_MS = 60_000;
const FETCH_TIMEOUT_MS = 10 * 60_000;
const JAVA_MIN = 17;
const START_TRIES_MAX = 3;

export async function startKafka({
  folder,
  port: wantedPort,
  isShortLived = false,
}: KafkaOptions): Promise<KafkaBroker> {
  const java = await findJava();
  const { jars, version } = await fetchJars();
  mkdirSync(folder, { recursive: true });
  await stopEarlier(folder);
  for (let tries = 1; ; tries++) {
    const port = await freePort(wantedPort);
    const settingsFile = writeSettings(folder, port, await freePort());
    if (!existsSync(join(folder, 'data', 'meta.properties'))) await format(java, jars, settingsFile);
    const child = launch(java, jars, settingsFile, folder, isShortLived ? ['-XX:TieredStopAtLevel=1'] : []);
    try {
      await untilReady(child, `127.0.0.1:${port}`);
      return {
        brokers: `127.0.0.1:${port}`,
        port,
        pid: child.pid,
        child,
        origin: `Apache Kafka ${version} through Maven (${jars}), on ${java.origin}`,
        stop: async () => {
          await child.stop({ graceMs: 20_000 });
        },
        kill: async () => {
          await child.kill();
        },
      };
    } catch (error) {
      const portWasTaken = child.ending !== undefined && child.tail(200).includes('Address already in use');
      await child.kill();
      if (!portWasTaken || tries >= START_TRIES_MAX) throw error;
    }
  }
}

/** Makes sure that a broker could be started, fetching it if need be; a Refusal says what is missing and how to get it. */
export async function requireKafka(): Promise<void> {
  await findJava();
  await fetchJars();
}

// --- Java ---

interface Java {
  readonly command: string;
  readonly origin: string;
}

async function findJava(): Promise<Java> {
  const home = process.env.JAVA_HOME;
  const candidates = [...(home === undefined || home === '' ? [] : [join(home, 'bin', 'java')]), 'java'];
  const found: string[] = [];
  for (const command of candidates) {
    const { status, stderr } = await runToEnd(command, ['-version']);
    if (status !== 0) continue;
    const version = /version "(\d+)/.exec(stderr)?.[1] ?? '0';
    if (Number(version) >= JAVA_MIN) return { command, origin: `Java ${version} (${command})` };
    found.push(`${command} is Java ${version}`);
  }
  throw new Refusal(
    `Kafka needs Java ${JAVA_MIN} or newer, and ${found.length > 0 ? found.join(', ') : 'there is none on PATH or in JAVA_HOME'}. Install one (Debian, Ubuntu: apt-get install openjdk-17-jre-headless maven; macOS: brew install openjdk maven), or set KAFKA_BROKERS to a broker you have.`,
  );
}

// --- the jars ---

interface Jars {
  readonly jars: string;
  readonly version: string;
}

/**
 * The jars from the cache, or from Maven into the cache. The folder appears under its name only when it is whole, so two
 * runs that fetch at the same time do not see each other's halves; the later one takes the earlier one's.
 */
async function fetchJars(): Promise<Jars> {
  const pom = join(root, 'tools', 'kafka', 'pom.xml');
  const text = readFileSync(pom, 'utf8');
  const version = /<kafka\.version>([^<]+)</.exec(text)?.[1] ?? 'unknown';
  const fingerprint = createHash('sha256').update(text).digest('hex').slice(0, 8);
  const jars = join(cacheFolder(), `kafka-${version}-${fingerprint}`);
  if (isWhole(jars)) return { jars, version };
  await requireMaven();
  say(`Fetching Apache Kafka ${version} through Maven, once, into ${jars}`);
  const draft = `${jars}.${process.pid}`;
  rmSync(draft, { recursive: true, force: true });
  const { status, stdout, stderr } = await runToEnd(
    'mvn',
    [
      '-q',
      '-B',
      '-f',
      pom,
      'dependency:copy-dependencies',
      '-DincludeScope=runtime',
      `-DoutputDirectory=${draft}`,
      ...mavenRepository(),
    ],
    { timeout: FETCH_TIMEOUT_MS, cwd: root },
  );
  if (status !== 0) {
    rmSync(draft, { recursive: true, force: true });
    throw new Refusal(`Maven could not fetch Apache Kafka:\n${stdout}${stderr}`);
  }
  writeFileSync(join(draft, MANIFEST), JSON.stringify(sizesOf(draft)));
  if (!isWhole(jars)) rmSync(jars, { recursive: true, force: true });
  try {
    renameSync(draft, jars);
  } catch {
    rmSync(draft, { recursive: true, force: true });
    if (!isWhole(jars)) throw new Refusal(`${jars} cannot be written`);
  }
  return { jars, version };
}

/** Maven keeps what it fetches in the account's home, whatever HOME says; a system account has none. */
function mavenRepository(): readonly string[] {
  const { homedir } = userInfo();
  try {
    accessSync(homedir, constants.W_OK);
    return [];
  } catch {
    return [`-Dmaven.repo.local=${join(cacheFolder(), 'maven')}`];
  }
}

const MANIFEST = 'whole.json';

const sizesOf = (folder: string): Readonly<Record<string, number>> =>
  Object.fromEntries(
    readdirSync(folder)
      .filter((name) => name.endsWith('.jar'))
      .map((name) => [name, statSync(join(folder, name)).size]),
  );

/** Every jar that was fetched is still there with its size: caches get swept, disks fill. */
function isWhole(jars: string): boolean {
  const manifest = join(jars, MANIFEST);
  if (!existsSync(manifest)) return false;
  const wanted: Readonly<Record<string, number>> = JSON.parse(readFileSync(manifest, 'utf8'));
  const found = sizesOf(jars);
  return Object.entries(wanted).every(([name, size]) => found[name] === size);
}

async function requireMaven(): Promise<void> {
  const { status } = await runToEnd('mvn', ['--version']);
  if (status === 0) return;
  throw new Refusal(
    'Kafka is fetched through Maven, and there is no "mvn" on PATH. Install it (Debian, Ubuntu: apt-get install maven; macOS: brew install maven), or set KAFKA_BROKERS to a broker you have.',
  );
}

// --- the broker ---

function writeSettings(folder: string, port: number, controllerPort: number): string {
  const settings = {
    'process.roles': 'broker,controller',
    'node.id': 1,
    'controller.quorum.voters': `1@127.0.0.1:${controllerPort}`,
    'controller.listener.names': 'CONTROLLER',
    listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${port}`,
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
    'log.dirs': join(folder, 'data'),
    // One broker cannot keep three copies of its own books.
    'offsets.topic.replication.factor': 1,
    'offsets.topic.num.partitions': 5,
    'transaction.state.log.replication.factor': 1,
    'transaction.state.log.min.isr': 1,
    'transaction.state.log.num.partitions': 5,
    'share.coordinator.state.topic.replication.factor': 1,
    'share.coordinator.state.topic.min.isr': 1,
    'share.coordinator.state.topic.num.partitions': 1,
    // A misspelt topic must be an error here, as it is in production.
    'auto.create.topics.enable': false,
    // After a kill -9 a restarted broker must outwait its own old session; the default is 9 seconds.
    'broker.session.timeout.ms': 4000,
    'broker.heartbeat.interval.ms': 1000,
    // A group of one need not wait for others to join it.
    'group.initial.rebalance.delay.ms': 0,
  };
  const file = join(folder, 'server.properties');
  writeFileSync(
    file,
    Object.entries(settings)
      .map(([name, value]) => `${name}=${value}\n`)
      .join(''),
  );
  return file;
}

const classPath = (jars: string): string => join(jars, '*');

async function format({ command }: Java, jars: string, settingsFile: string): Promise<void> {
  const clusterId = Buffer.from(randomUUID().replaceAll('-', ''), 'hex').toString('base64url');
  const { status, stdout, stderr } = await runToEnd(command, [
    '-XX:+UseSerialGC',
    '-XX:TieredStopAtLevel=1',
    '-cp',
    classPath(jars),
    'kafka.tools.StorageTool',
    'format',
    // One word: an id that happens to begin with a dash would be taken for another option.
    `--cluster-id=${clusterId}`,
    '--config',
    settingsFile,
  ]);
  if (status !== 0) throw new Refusal(`Kafka could not prepare its data folder:\n${stdout}${stderr}`);
}

const pidFileOf = (folder: string): string => join(folder, 'kafka.pid');

/** Two brokers cannot share a data folder; the one whose starter died without stopping it has to go. */
async function stopEarlier(folder: string): Promise<void> {
  const pidFile = pidFileOf(folder);
  if (!existsSync(pidFile)) return;
  const pid = Number(readFileSync(pidFile, 'utf8'));
  await stopLeftover({ pid, mark: join(folder, 'server.properties'), signal: 'SIGTERM' });
  rmSync(pidFile, { force: true });
}

function launch({ command }: Java, jars: string, settingsFile: string, folder: string, options: string[]): Child {
  const child = startChild({
    name: 'Kafka',
    command,
    args: [
      '-Xmx512m',
      ...options,
      // One small heap on a shared machine: the parallel collectors' threads cost more than they bring.
      '-XX:+UseSerialGC',
      '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn',
      '-Dorg.slf4j.simpleLogger.showDateTime=true',
      '-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS',
      '-cp',
      classPath(jars),
      'kafka.Kafka',
      settingsFile,
    ],
    logFile: join(folder, 'kafka.log'),
  });
  writeFileSync(pidFileOf(folder), String(child.pid));
  return child;
}

async function untilReady(child: Child, brokers: string): Promise<void> {
  const admin = new Kafka({
    clientId: 'unionlink-start',
    brokers: [brokers],
    logLevel: logLevel.NOTHING,
    connectionTimeout: 1_000,
    retry: { retries: 0 },
  }).admin();
  try {
    await until(
      async () => {
        if (child.ending !== undefined) throw new Refusal(child.describeEnding());
        await admin.connect();
        const { brokers: known, controller } = await admin.describeCluster();
        if (known.length === 0 || controller === null) return false;
        // Asking for a group makes the broker create its offsets topic now rather than under the first consumer.
        await admin.describeGroups(['unionlink-start']);
        return true;
      },
      { timeoutMs: START_TIMEOUT_MS, intervalMs: 100, what: `Kafka to answer (see ${child.logFile})` },
    );
  } finally {
    await admin.disconnect();
  }
}
