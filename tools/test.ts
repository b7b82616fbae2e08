import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { type Child, startChild } from './child.js';
import { startKafka } from './kafka.js';
import { root, runTool, say } from './machine.js';
import { migrate } from './migrate.js';
import { Interrupted, type Parts, withParts } from './parts.js';
import { removePostgres, startPostgres } from './postgres.js';

/**
 * `npm test`: a PostgreSQL and a Kafka for this run alone, a migrated template database, Jest over dist/, and everything
 * stopped again whatever happens. The last line is "N passed, N failed".
 */

interface Services {
  readonly adminUrl: string;
  readonly templateDatabase: string;
  readonly kafkaBrokers: string;
}

interface Outcome {
  readonly exitCode: number;
  readonly summary: string;
}

async function main(): Promise<number> {
  const folder = makeFolder();
  let wantsLogs = true;
  try {
    const { exitCode, summary } = await withParts((parts) => runAll(folder, parts));
    wantsLogs = exitCode !== 0;
    // The last thing said, after whatever the parts say as they stop.
    process.once('exit', () => say(summary));
    return exitCode;
  } catch (error) {
    wantsLogs = !(error instanceof Interrupted);
    throw error;
  } finally {
    clear(folder, wantsLogs);
  }
}

async function runAll(folder: string, parts: Parts): Promise<Outcome> {
  const [database, kafkaBrokers] = await Promise.all([prepareDatabase(folder, parts), prepareKafka(folder, parts)]);
  return runJest(folder, { ...database, kafkaBrokers }, parts);
}

function makeFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'unionlink-test-'));
  mkdirSync(join(folder, 'logs'));
  // As root, PostgreSQL runs as somebody else, who must get through here. Its own folder stays closed to others.
  for (const passage of [folder, join(folder, 'logs')]) chmodSync(passage, 0o711);
  return folder;
}

/** The data goes in any case; the logs stay where something went wrong. */
function clear(folder: string, wantsLogs: boolean): void {
  removePostgres(join(folder, 'postgres'));
  rmSync(join(folder, 'kafka', 'data'), { recursive: true, force: true });
  if (wantsLogs) say(`The logs of this run are in ${folder}`);
  else rmSync(folder, { recursive: true, force: true });
}

// --- the parts ---

async function prepareDatabase(folder: string, parts: Parts): Promise<Omit<Services, 'kafkaBrokers'>> {
  const templateDatabase = `unionlink_test_${randomBytes(5).toString('hex')}`;
  const adminUrl = await findPostgres(folder, parts, templateDatabase);
  await withClient(adminUrl, async (client) => {
    await client.query(`CREATE DATABASE ${templateDatabase} TEMPLATE template0 ENCODING 'UTF8'`);
  });
  const templateUrl = new URL(adminUrl);
  templateUrl.pathname = `/${templateDatabase}`;
  await migrate(templateUrl.href);
  return { adminUrl, templateDatabase };
}

async function findPostgres(folder: string, parts: Parts, ourDatabases: string): Promise<string> {
  const given = process.env.DATABASE_URL;
  if (given !== undefined && given !== '') {
    say('PostgreSQL: DATABASE_URL');
    parts.atEnd(() => withClient(given, (client) => sweep(client, ourDatabases)));
    return given;
  }
  mkdirSync(join(folder, 'postgres'));
  const postgres = await parts.start(() =>
    startPostgres({
      folder: join(folder, 'postgres'),
      password: randomBytes(12).toString('hex'),
      isShortLived: true,
    }),
  );
  say(`PostgreSQL: ${postgres.origin}, port ${postgres.port}`);
  return postgres.url();
}

/** A server that is not ours keeps nothing of us: the template, its clones, and those whose spec was killed. */
async function sweep(client: Client, ourDatabases: string): Promise<void> {
  const { rows } = await client.query<{ datname: string }>(
    'SELECT datname FROM pg_database WHERE starts_with(datname, $1)',
    [ourDatabases],
  );
  for (const { datname } of rows) await client.query(`DROP DATABASE IF EXISTS "${datname}" WITH (FORCE)`);
}

async function withClient(url: string, work: (client: Client) => Promise<void>): Promise<void> {
  const client = new Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  try {
    await work(client);
  } finally {
    await client.end();
  }
}

async function prepareKafka(folder: string, parts: Parts): Promise<string> {
  const given = process.env.KAFKA_BROKERS;
  if (given !== undefined && given !== '') {
    say('Kafka: KAFKA_BROKERS');
    return given;
  }
  const kafka = await parts.start(() => startKafka({ folder: join(folder, 'kafka'), isShortLived: true }));
  say(`Kafka: ${kafka.origin}, port ${kafka.port}`);
  return kafka.brokers;
}

// --- Jest ---

async function runJest(folder: string, services: Services, parts: Parts): Promise<Outcome> {
  const resultFile = join(folder, 'results.json');
  const jest = startChild({
    name: 'Jest',
    command: process.execPath,
    args: [
      '--experimental-vm-modules',
      '--disable-warning=ExperimentalWarning',
      '--enable-source-maps',
      join(root, 'node_modules', 'jest', 'bin', 'jest.js'),
      '--json',
      `--outputFile=${resultFile}`,
      ...process.argv.slice(2),
    ],
    env: environmentOf(folder, services),
  });
  parts.atEnd(() => endJest(jest));
  const { code } = await jest.exited;
  return judge(resultFile, code ?? 1);
}

/** Jest's workers and the processes that specs started are in Jest's group and go with it. */
async function endJest(jest: Child): Promise<void> {
  await jest.stop({ graceMs: 5_000 });
  jest.endGroup();
}

function environmentOf(folder: string, { adminUrl, templateDatabase, kafkaBrokers }: Services): NodeJS.ProcessEnv {
  const environment: NodeJS.ProcessEnv = {
    ...process.env,
    UNIONLINK_TEST_PG: adminUrl,
    UNIONLINK_TEST_TEMPLATE: templateDatabase,
    UNIONLINK_TEST_KAFKA: kafkaBrokers,
    UNIONLINK_TEST_FOLDER: join(folder, 'logs'),
    KAFKAJS_NO_PARTITIONER_WARNING: '1',
  };
  // A spec that reads these would write into somebody's real database.
  delete environment.DATABASE_URL;
  delete environment.KAFKA_BROKERS;
  return environment;
}

interface JestResults {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numRuntimeErrorTestSuites: number;
}

/** A file that could not even be loaded counts as a failure; a run without a test is none that passed. */
function judge(resultFile: string, jestCode: number): Outcome {
  if (!existsSync(resultFile))
    return { exitCode: jestCode === 0 ? 1 : jestCode, summary: 'Jest ended without results' };
  const results: JestResults = JSON.parse(readFileSync(resultFile, 'utf8'));
  const failed = results.numFailedTests + results.numRuntimeErrorTestSuites;
  const skipped = results.numPendingTests > 0 ? `, ${results.numPendingTests} skipped` : '';
  const summary = `${results.numPassedTests} passed, ${failed} failed${skipped}`;
  const hasPassed = jestCode === 0 && failed === 0 && results.numPassedTests > 0;
  return { exitCode: hasPassed ? 0 : Math.max(jestCode, 1), summary };
}

await runTool(async () => {
  try {
    return await main();
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error;
    process.stderr.write(`npm test: ${error.message}\n`);
    return error.exitCode;
  }
});
