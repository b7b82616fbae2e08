import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startChild } from '../child.js';
import { type KafkaBroker, startKafka } from '../kafka.js';
import { freePort, root, runTool, say } from '../machine.js';
import { migrate } from '../migrate.js';
import { type Parts, withParts } from '../parts.js';
import { type Postgres, removePostgres, startPostgres } from '../postgres.js';
import { until } from '../until.js';
import { benchHotMerges } from './hot-merges.js';
import { benchLatency, type Latency } from './latency.js';
import { benchRelay } from './relay.js';
import { benchResolve } from './resolve.js';

/**
 * `npm run bench`, or `npm run bench -- resolve merges latency relay` for some of it: every figure beside its baseline, measured
 * in turns within one run, because only ratios mean something on a machine that does other things. Prints sentences, and
 * the same as one line of JSON at the end.
 */
const benches = { resolve: resolving, merges: merging, latency: latencies, relay: relaying };

interface Machine {
  readonly parts: Parts;
  readonly folder: string;
  readonly postgres: Postgres;
  readonly kafka: () => Promise<KafkaBroker>;
}

async function main(parts: Parts): Promise<number> {
  const unknown = process.argv.slice(2).filter((name) => !(name in benches));
  if (unknown.length > 0) throw new Error(`no bench ${unknown.join(', ')}: ${Object.keys(benches).join(', ')}`);
  const folder = mkdtempSync(join(tmpdir(), 'unionlink-bench-'));
  const databaseFolder = join(folder, 'postgres');
  mkdirSync(databaseFolder);
  parts.atEnd(async () => removePostgres(databaseFolder));
  const password = randomBytes(12).toString('hex');
  const postgres = await parts.start(() => startPostgres({ folder: databaseFolder, password, isShortLived: true }));
  let broker: Promise<KafkaBroker> | undefined;
  const kafka = (): Promise<KafkaBroker> =>
    (broker ??= parts.start(() => startKafka({ folder: join(folder, 'kafka') })));
  const results: Record<string, unknown> = {};
  for (const [name, bench] of Object.entries(benches)) {
    if (process.argv.length > 2 && !process.argv.includes(name)) continue;
    results[name] = await bench({ parts, folder, postgres, kafka });
  }
  say(JSON.stringify(results));
  return 0;
}

async function resolving({ parts, folder, postgres }: Machine): Promise<unknown> {
  const operatorKey = randomBytes(24).toString('base64url');
  await migrate(postgres.url());
  const { url: api } = await serve(parts, folder, 'api', ['dist', 'apps', 'api', 'src', 'main.js'], {
    DATABASE_URL: postgres.url(),
    OPERATOR_API_KEY: operatorKey,
    SECRETS_KEY: randomBytes(32).toString('base64'),
    LOG_LEVEL: 'warn',
  });
  const { url: echo } = await serve(parts, folder, 'echo', ['dist', 'tools', 'bench', 'echo.main.js'], {});
  await until(async () => (await fetch(`${api}/readyz`)).ok, { timeoutMs: 30_000, what: 'the API' });
  await until(async () => (await fetch(`${echo}/echo`, { method: 'POST' })).status > 0, {
    timeoutMs: 30_000,
    what: 'the echo',
  });
  say('Resolving over HTTP, 64 connections (batches of 500: 4), medians of 3 rounds of 4 s ...');
  const resolve = await benchResolve({ api, echo, operatorKey, rounds: 3, durationMs: 4_000 });
  for (const [figure, { requestsPerSecond, p50Ms, p99Ms, errors }] of Object.entries(resolve)) {
    const ratio = (requestsPerSecond / resolve.echo.requestsPerSecond).toFixed(2);
    const rate = Math.round(requestsPerSecond).toLocaleString('en');
    say(
      `  ${figure.padEnd(10)} ${rate}/s, ${ratio} of the echo; p50 ${p50Ms.toFixed(1)} ms, p99 ${p99Ms.toFixed(1)} ms; errors ${errors}`,
    );
  }
  return resolve;
}

async function merging({ parts, folder, postgres }: Machine): Promise<unknown> {
  const databaseUrl = postgres.url('merges_bench');
  await migrateNew(postgres.url(), databaseUrl);
  const operatorKey = randomBytes(24).toString('base64url');
  const { url: api } = await serve(parts, folder, 'api', ['dist', 'apps', 'api', 'src', 'main.js'], {
    DATABASE_URL: databaseUrl,
    OPERATOR_API_KEY: operatorKey,
    SECRETS_KEY: randomBytes(32).toString('base64'),
    LOG_LEVEL: 'warn',
  });
  await until(async () => (await fetch(`${api}/readyz`)).ok, { timeoutMs: 30_000, what: 'the API' });
  say('Opposing merges of thirty hot users by sixteen workers, beside pgbench with the same functions ...');
  const merges = await benchHotMerges({ api, operatorKey, databaseUrl, folder, rounds: 3, durationMs: 6_000 });
  const { servicePerSecond, pgbenchPerSecond, errors } = merges;
  say(`  service ${Math.round(servicePerSecond)}/s; answers other than of the rules ${errors}`);
  say(
    pgbenchPerSecond === null
      ? '  pgbench is not on this machine (PATH): there is nothing to compare with'
      : `  pgbench ${Math.round(pgbenchPerSecond)}/s: the service reaches ${(servicePerSecond / pgbenchPerSecond).toFixed(2)} of it`,
  );
  return merges;
}

async function latencies({ parts, folder, postgres, kafka }: Machine): Promise<unknown> {
  const { brokers } = await kafka();
  const databaseUrl = postgres.url('latency_bench');
  await migrateNew(postgres.url(), databaseUrl);
  const prefix = 'latency.';
  say('From a commit to a consumer, beside a bare send to a consumer ...');
  const stopRelay = await serveRelay(parts, folder, {
    DATABASE_URL: databaseUrl,
    KAFKA_BROKERS: brokers,
    KAFKA_TOPIC_PREFIX: prefix,
  });
  const latency = await benchLatency({ databaseUrl, brokers, prefix });
  await stopRelay();
  for (const [figure, { p50Ms, p99Ms }] of Object.entries(latency) as [string, Latency][])
    say(`  ${figure.padEnd(20)} p50 ${p50Ms.toFixed(1)} ms, p99 ${p99Ms.toFixed(1)} ms`);
  return latency;
}

async function relaying({ postgres, kafka }: Machine): Promise<unknown> {
  const { brokers } = await kafka();
  const databaseUrl = postgres.url('relay_bench');
  await migrateNew(postgres.url(), databaseUrl);
  say('The relay beside the bare KafkaJS producer, the same batches ...');
  const relay = await benchRelay({ databaseUrl, brokers, events: 40_000, rounds: 3 });
  say(
    `  bare ${Math.round(relay.barePerSecond)}/s, relay ${Math.round(relay.relayPerSecond)}/s: ${relay.ratio.toFixed(2)} of it; with a snapshot held open ${relay.snapshotRatio.toFixed(2)} of that`,
  );
  return relay;
}

async function serve(
  parts: Parts,
  folder: string,
  name: string,
  path: readonly string[],
  env: Record<string, string>,
): Promise<{ readonly url: string; readonly stop: () => Promise<void> }> {
  const port = await freePort();
  const child = startChild({
    name,
    command: process.execPath,
    args: ['--enable-source-maps', join(root, ...path)],
    env: { PATH: process.env.PATH, PORT: String(port), HOST: '127.0.0.1', ...env },
    logFile: join(folder, `${name}.log`),
  });
  const stop = async (): Promise<void> => {
    await child.stop();
  };
  parts.atEnd(stop);
  return { url: `http://127.0.0.1:${port}`, stop };
}

/** Answers how to stop it. */
async function serveRelay(parts: Parts, folder: string, env: Record<string, string>): Promise<() => Promise<void>> {
  const secrets = { SECRETS_KEY: randomBytes(32).toString('base64'), LOG_LEVEL: 'warn' };
  const path = ['dist', 'apps', 'relay', 'src', 'main.js'];
  const { url, stop } = await serve(parts, folder, 'relay', path, { ...secrets, ...env });
  await until(async () => (await fetch(`${url}/readyz`)).ok, { timeoutMs: 120_000, what: 'the relay' });
  return stop;
}

async function migrateNew(adminUrl: string, url: string): Promise<void> {
  const { Client } = (await import('pg')).default;
  const client = new Client({ connectionString: adminUrl });
  await client.connect();
  await client.query(`CREATE DATABASE ${new URL(url).pathname.slice(1)}`);
  await client.end();
  await migrate(url);
}

await runTool(() => withParts(main));
