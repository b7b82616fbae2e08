import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Client } from 'pg';
import { type Http, http } from '../http.js';
import { script, setUp } from './hot-merges-sql.js';

export interface HotMergesResult {
  readonly servicePerSecond: number;
  /** Null: pgbench is not on this machine. */
  readonly pgbenchPerSecond: number | null;
  /** Answers that the rules do not have: 5xx, a deadlock. */
  readonly errors: number;
}

interface HotMergesOptions {
  readonly api: string;
  readonly operatorKey: string;
  readonly databaseUrl: string;
  readonly folder: string;
  readonly rounds: number;
  readonly durationMs: number;
}

const workers = 16;
const hotUsers = 30;
const run = promisify(execFile);

/**
 * Merges per second of thirty users in opposing directions, over HTTP and by pgbench in turns: medians. Whoever is merged
 * away is replaced by somebody new. Merges are counted in the table, so that refusals count for nobody.
 */
export async function benchHotMerges(options: HotMergesOptions): Promise<HotMergesResult> {
  const { api, operatorKey, databaseUrl } = options;
  const operator = http(api, operatorKey);
  await operator.put('/v1/entities/bench', { name: 'Bench' });
  await operator.put('/v1/entities/bench/apps/bench-hot', { kind: 'mini_program', name: 'hot', openPlatformId: null });
  const database = new Client({ connectionString: databaseUrl });
  await database.connect();
  try {
    return await measure(options, operator, database);
  } finally {
    await database.end();
  }
}

async function measure(
  { databaseUrl, folder, rounds, durationMs }: HotMergesOptions,
  operator: Http,
  database: Client,
): Promise<HotMergesResult> {
  await database.query(setUp);
  const hasPgbench = await run('pgbench', ['--version']).then(
    () => true,
    () => false,
  );
  const file = join(folder, 'hot-merges.pgbench');
  writeFileSync(file, script);

  let [born, errors] = [0, 0];
  const birth = async (): Promise<string> => {
    const body = { appId: 'bench-hot', openId: `hot-${(born += 1)}` };
    return (await operator.post('/v1/identities/resolve', body)).body.user.id;
  };
  const service = async (): Promise<void> => {
    const hot = await Promise.all(Array.from({ length: hotUsers }, birth));
    const end = Date.now() + durationMs;
    const worker = async (): Promise<void> => {
      while (Date.now() < end) {
        const at = Math.floor(Math.random() * hotUsers);
        const other = (at + 1 + Math.floor(Math.random() * (hotUsers - 1))) % hotUsers;
        const body = { targetUserId: hot[other], sourceUserIds: [hot[at]], reason: 'bench' };
        const answer = await operator.post('/v1/merges', body);
        if (answer.status !== 200 && answer.body.code !== 'user_merged') errors += 1;
        if (answer.body.results?.[0]?.outcome === 'merged') hot[at] = await birth();
      }
    };
    await Promise.all(Array.from({ length: workers }, worker));
  };
  const pgbench = async (): Promise<void> => {
    await database.query(
      `DELETE FROM bench_hot; INSERT INTO bench_hot SELECT n, bench_birth() FROM generate_series(0, ${hotUsers - 1}) n`,
    );
    const seconds = String(Math.round(durationMs / 1000));
    const flags = ['-n', '-c', String(workers), '-j', '2', '-T', seconds, '-M', 'prepared', '-f', file];
    await run('pgbench', [...flags, databaseUrl]);
  };
  const made = async (): Promise<number> => (await database.query('SELECT FROM merge')).rowCount ?? 0;
  const rateOf = async (work: () => Promise<void>): Promise<number> => {
    const [before, start] = [await made(), performance.now()];
    await work();
    const seconds = (performance.now() - start) / 1000;
    return ((await made()) - before) / seconds;
  };

  const rates: { service: number[]; pgbench: number[] } = { service: [], pgbench: [] };
  await service();
  for (let round = 0; round < rounds; round += 1) {
    rates.service.push(await rateOf(service));
    if (hasPgbench) rates.pgbench.push(await rateOf(pgbench));
  }
  return {
    servicePerSecond: median(rates.service),
    pgbenchPerSecond: hasPgbench ? median(rates.pgbench) : null,
    errors,
  };
}

function median(of: readonly number[]): number {
  return of.toSorted((one, other) => one - other)[Math.floor(of.length / 2)] ?? Number.NaN;
}
