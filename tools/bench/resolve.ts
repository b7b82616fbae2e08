import { http } from '../http.js';
import { load, type Measured } from './load.js';

export interface ResolveBenchOptions {
  readonly api: string;
  readonly echo: string;
  readonly operatorKey: string;
  readonly rounds: number;
  readonly durationMs: number;
}

type Figure = 'echo' | 'warm' | 'cold' | 'warmBatch' | 'coldBatch';
export type ResolveBenchResult = Readonly<Record<Figure, Measured>>;

const connections = 64;
const knownUsers = 5_000;
const batchItems = 500;
const apps = ['bench-1', 'bench-2', 'bench-3', 'bench-4'];

/**
 * Resolving over HTTP beside a server that only sends the body back, in turns within one run: known users (warm), users
 * never seen (cold, each with a unionId and an event), one at a time and in batches. Batches count their items.
 */
export async function benchResolve(options: ResolveBenchOptions): Promise<ResolveBenchResult> {
  const operator = http(options.api, options.operatorKey);
  await operator.put('/v1/entities/bench', { name: 'Bench' });
  await operator.put('/v1/entities/bench/open-platforms/main', { name: 'Main' });
  for (const appId of apps)
    await operator.put(`/v1/entities/bench/apps/${appId}`, {
      kind: 'mini_program',
      name: appId,
      openPlatformId: 'main',
    });
  const made = await operator.post('/v1/api-keys', { entityId: 'bench', name: 'bench', scopes: ['ingest'] });
  const key: string = made.body.key;
  const ingest = http(options.api, key);
  for (let start = 0; start < knownUsers; start += batchItems)
    await ingest.post('/v1/identities/resolve/batch', { items: items(start, batchItems, 'known') });

  let fresh = 0;
  const single = `${options.api}/v1/identities/resolve`;
  const batch = `${options.api}/v1/identities/resolve/batch`;
  const run = (url: string, body: (index: number) => string, lanes = connections): Promise<Measured> =>
    load({ url, key, connections: lanes, durationMs: options.durationMs, body, check: expectGood });
  const turns: Record<Figure, () => Promise<Measured>> = {
    echo: () => run(`${options.echo}/echo`, known),
    warm: () => run(single, known),
    cold: () => run(single, () => JSON.stringify(item((fresh += 1), 'fresh'))),
    warmBatch: () =>
      run(
        batch,
        (index) => JSON.stringify({ items: items((index * batchItems) % knownUsers, batchItems, 'known') }),
        4,
      ),
    coldBatch: () => run(batch, () => JSON.stringify({ items: items((fresh += batchItems), batchItems, 'fresh') }), 4),
  };
  const rounds: Record<Figure, Measured[]> = { echo: [], warm: [], cold: [], warmBatch: [], coldBatch: [] };
  for (let round = 0; round < options.rounds; round += 1)
    for (const [figure, turn] of Object.entries(turns) as [Figure, () => Promise<Measured>][]) {
      const { requestsPerSecond, ...rest } = await turn();
      const itemsEach = figure.endsWith('Batch') ? batchItems : 1;
      rounds[figure].push({ ...rest, requestsPerSecond: requestsPerSecond * itemsEach });
    }
  return {
    echo: median(rounds.echo),
    warm: median(rounds.warm),
    cold: median(rounds.cold),
    warmBatch: median(rounds.warmBatch),
    coldBatch: median(rounds.coldBatch),
  };
}

const known = (index: number): string => JSON.stringify(item(index % knownUsers, 'known'));

function item(index: number, kind: string): object {
  const appId = apps[index % apps.length];
  const person = Math.floor(index / apps.length);
  return { appId, openId: `o-${kind}-${appId}-${person}`, unionId: `u-${kind}-${person}` };
}

function items(start: number, count: number, kind: string): object[] {
  return Array.from({ length: count }, (_, index) => item(start + index, kind));
}

function expectGood(status: number, body: string): void {
  if (status !== 200 || body.includes('"status":"error"'))
    throw new Error(`not what is measured: ${status} ${body.slice(0, 300)}`);
}

function median(measured: readonly Measured[]): Measured {
  const sorted = measured.toSorted((a, b) => a.requestsPerSecond - b.requestsPerSecond);
  const middle = sorted[Math.floor(sorted.length / 2)];
  if (middle === undefined) throw new Error('nothing was measured');
  return { ...middle, errors: measured.reduce((sum, { errors }) => sum + errors, 0) };
}
