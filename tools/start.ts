import { existsSync, mkdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { Client, escapeIdentifier } from 'pg';
import { type Child, startChild } from './child.js';
import { requireKafka, startKafka } from './kafka.js';
import { type Keys, keysFile, readOrMakeKeys, writeKeys } from './keys.js';
import { Refusal, freePort, root, runTool, say } from './machine.js';
import { migrate } from './migrate.js';
import { Interrupted, type Parts, withParts } from './parts.js';
import { startPostgres } from './postgres.js';
import { ensureSiblingKey, tellStory } from './story.js';
import { until } from './until.js';

/**
 * `npm start`: everything on this machine, with data that stays under .data/; then the README's story, told with real
 * requests; then it runs on until Ctrl-C. With --story it ends after the story.
 */

const dataFolder = join(root, '.data');
const logsFolder = join(dataFolder, 'logs');
const APP_START_TIMEOUT_MS = 60_000;
const PORT_TRIES_MAX = 5;
/** Where people look first; taken if they are free. */
const PREFERRED_PORTS = { api: 3000, relay: 3001, sandbox: 3100, sibling: 3200 } as const;

type AppName = keyof typeof PREFERRED_PORTS;

interface Databases {
  readonly identity: string;
  readonly sibling: string;
}

interface Broker {
  /** Empty: none. */
  readonly brokers: string;
  readonly origin: string;
}

async function main(parts: Parts, endsAfterStory: boolean): Promise<number> {
  mkdirSync(logsFolder, { recursive: true });
  const keys = readOrMakeKeys();
  const [databases, broker] = await Promise.all([prepareDatabases(parts, keys), prepareKafka(parts)]);
  const shared = { KAFKA_BROKERS: broker.brokers, LOG_LEVEL: process.env.LOG_LEVEL ?? 'info' };
  const identity = { ...shared, OPERATOR_API_KEY: keys.operatorApiKey, SECRETS_KEY: keys.secretsKey };

  const sandbox = await startApp(parts, { name: 'sandbox', settings: shared, readiness: 'livez' });
  const settings = { ...identity, DATABASE_URL: databases.identity, WECHAT_BASE_URL: sandbox };
  const api = await startApp(parts, { name: 'api', settings, readiness: 'readyz' });
  if (broker.brokers !== '') await startApp(parts, { name: 'relay', settings, readiness: 'readyz' });
  const siblingKey = await ensureSiblingKey({ api, ...keys });
  if (siblingKey !== keys.siblingApiKey) writeKeys({ ...keys, siblingApiKey: siblingKey });
  const sibling = await startApp(parts, {
    name: 'sibling',
    settings: { ...shared, DATABASE_URL: databases.sibling, IDENTITY_URL: api, IDENTITY_API_KEY: siblingKey },
    readiness: 'livez',
  });

  say('');
  await tellStory({ api, sandbox, sibling, operatorApiKey: keys.operatorApiKey });
  if (endsAfterStory) return 0;
  say(whereToLook({ api, sandbox, sibling }, broker));
  return parts.failure;
}

// --- the real parts ---

async function prepareDatabases(parts: Parts, keys: Keys): Promise<Databases> {
  const given = process.env.DATABASE_URL ?? '';
  const identity = given === '' ? await startPrivateDatabase(parts, keys) : given;
  const sibling = siblingDatabase(identity);
  await ensureDatabase(identity, sibling);
  const { applied, before } = await migrate(identity);
  say(`Migrations: ${applied.length} applied, ${before + applied.length} in place`);
  return { identity, sibling };
}

async function startPrivateDatabase(parts: Parts, { postgresPassword }: Keys): Promise<string> {
  const postgres = await parts.start(() =>
    startPostgres({ folder: join(dataFolder, 'postgres'), password: postgresPassword }),
  );
  parts.watch(postgres.child);
  say(`PostgreSQL: ${postgres.origin}, port ${postgres.port}, data in .data/postgres`);
  const url = postgres.url('unionlink');
  await ensureDatabase(postgres.url('postgres'), url);
  return url;
}

/** The sample app has a database of its own, on the same server here: services share accounts, not tables. */
function siblingDatabase(identityUrl: string): string {
  const url = new URL(identityUrl);
  url.pathname = `${url.pathname}_sibling`;
  return url.href;
}

async function ensureDatabase(askUrl: string, wantedUrl: string): Promise<void> {
  const name = decodeURIComponent(new URL(wantedUrl).pathname.slice(1));
  const client = new Client({ connectionString: askUrl });
  client.on('error', () => undefined);
  try {
    await client.connect();
    const { rowCount } = await client.query('SELECT FROM pg_database WHERE datname = $1', [name]);
    if (rowCount === 0) await client.query(`CREATE DATABASE ${escapeIdentifier(name)}`);
  } catch (error) {
    throw new Refusal(`PostgreSQL would not give us the database "${name}": ${String(error)}`, { cause: error });
  } finally {
    await client.end();
  }
}

async function prepareKafka(parts: Parts): Promise<Broker> {
  const given = process.env.KAFKA_BROKERS ?? '';
  if (given !== '') return { brokers: given, origin: 'KAFKA_BROKERS' };
  try {
    await requireKafka();
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    say(`Kafka: none, so events are served over HTTP only (GET /v1/events). ${error.message}`);
    return { brokers: '', origin: 'none' };
  }
  const kafka = await parts.start(() => startKafka({ folder: join(dataFolder, 'kafka') }));
  parts.watch(kafka.child);
  say(`Kafka: ${kafka.origin}, port ${kafka.port}, data in .data/kafka`);
  return { brokers: kafka.brokers, origin: kafka.origin };
}

// --- our own processes ---

interface AppStart {
  readonly name: AppName;
  readonly settings: Readonly<Record<string, string>>;
  readonly readiness: 'livez' | 'readyz';
}

/** Starts one of the apps and waits until it answers; gives back its URL. */
async function startApp(parts: Parts, app: AppStart): Promise<string> {
  const preferred = await freePort(PREFERRED_PORTS[app.name]);
  for (let port = preferred, tries = 1; ; port = await freePort(), tries++) {
    const url = `http://127.0.0.1:${port}`;
    const child = await parts.start(() => Promise.resolve(launch(app, port)));
    try {
      await untilAnswers(child, `${url}/${app.readiness}`);
      parts.watch(child);
      say(`${child.name}: ${url}, log in .data/logs/${app.name}.log`);
      return url;
    } catch (error) {
      // A start in another clone looked at the same moment and was quicker.
      const portWasTaken = child.ending !== undefined && child.tail().includes('EADDRINUSE');
      if (!portWasTaken || tries >= PORT_TRIES_MAX) throw error;
    }
  }
}

function launch({ name, settings }: AppStart, port: number): Child {
  return startChild({
    name: `The ${name}`,
    command: process.execPath,
    args: ['--enable-source-maps', join(root, 'dist', 'apps', name, 'src', 'main.js')],
    env: { ...process.env, ...settings, HOST: '127.0.0.1', PORT: String(port) },
    logFile: freshLog(name),
  });
}

function freshLog(name: AppName): string {
  const file = join(logsFolder, `${name}.log`);
  if (existsSync(file)) renameSync(file, `${file}.before`);
  return file;
}

async function untilAnswers(child: Child, url: string): Promise<void> {
  await until(
    async () => {
      if (child.ending !== undefined) throw new Refusal(child.describeEnding());
      const response = await fetch(url, { signal: AbortSignal.timeout(2_000) });
      await response.arrayBuffer();
      return response.ok;
    },
    { timeoutMs: APP_START_TIMEOUT_MS, what: `${child.name} to answer 200 at ${url} (see ${child.logFile})` },
  );
}

function whereToLook(urls: { api: string; sandbox: string; sibling: string }, broker: Broker): string {
  const events =
    broker.brokers === ''
      ? `no Kafka here, so over HTTP: ${urls.api}/v1/events`
      : `topic identity.user-events.v1 at ${broker.brokers}, and ${urls.api}/v1/events`;
  return `
Everything runs. Where to look next:

  The API, page by page     ${urls.api}/docs
  WeChat, the sandbox       ${urls.sandbox}/
  The sample app's points   ${urls.sibling}/points/{userId}
  The events                ${events}
  The operator's key        ${keysFile}
  The logs                  ${logsFolder}

Ctrl-C stops all of it; npm start goes on where this left off.`;
}

await runTool(async () => {
  const endsAfterStory = process.argv.includes('--story');
  try {
    return await withParts((parts) => main(parts, endsAfterStory));
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error;
    say('Everything has been stopped.');
    // Being stopped is how a run without --story ends; a story that was cut short was not told.
    return endsAfterStory ? error.exitCode : 0;
  }
});
