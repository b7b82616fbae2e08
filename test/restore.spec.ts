import { execFileSync } from 'node:child_process';
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from 'pg';
import { topicName, topics } from '#events';
import { migrate } from '../tools/migrate.js';
import { type Postgres, removePostgres, startPostgres } from '../tools/postgres.js';
import { type Acme, ok, startAcmeOn } from './harness/acme.js';
import { runCli } from './harness/cli.js';
import type { Database } from './harness/database.js';
import type { Json } from './harness/http.js';
import { createSmallTopics, freshTopicPrefix, readTopic } from './harness/kafka.js';
import { type App, startApi, startRelay } from './harness/processes.js';
import { services } from './harness/services.js';
import { until } from './harness/until.js';

/** As much of a user as its consumers keep. */
interface Held {
  readonly epoch: number;
  readonly version: number;
  readonly openIds: readonly string[];
}

/**
 * A restore as docs/operating.md has it: a physical copy of the whole cluster, put back while consumers have heard what came
 * after it. The numbers of transactions and the versions begin again from the copy.
 */
describe('After a restore from a backup', () => {
  const prefix = freshTopicPrefix();
  const folder = mkdtempSync(join(services.folder, 'restored-'));
  const env = { KAFKA_BROKERS: services.kafkaBrokers, KAFKA_TOPIC_PREFIX: prefix };
  let postgres: Postgres;
  let acme: Acme;
  let relay: App;

  const databaseUrl = (): string => postgres.url('postgres');
  const query: Database['query'] = async (sql, values) => {
    const client = new Client({ connectionString: databaseUrl() });
    await client.connect();
    try {
      return (await client.query(sql, values === undefined ? undefined : [...values])).rows;
    } finally {
      await client.end();
    }
  };
  const begin = async (port?: number): Promise<void> => {
    postgres = await startPostgres({
      folder,
      password: 'restored',
      isShortLived: true,
      ...(port === undefined ? {} : { port }),
    });
  };
  const startAll = async (): Promise<void> => {
    const [api, started] = await Promise.all([
      startApi({ databaseUrl: databaseUrl() }),
      startRelay({ databaseUrl: databaseUrl(), env }),
    ]);
    relay = started;
    const database: Database = { name: 'postgres', url: databaseUrl(), query, drop: () => Promise.resolve() };
    acme = await startAcmeOn(database, [api]);
  };
  const stopAll = async (): Promise<void> => {
    await Promise.all([relay.stop(), ...acme.apis.map((api) => api.stop())]);
  };
  beforeAll(async () => {
    await Promise.all([begin(), createSmallTopics(prefix)]);
    await migrate(databaseUrl());
    await startAll();
  }, 180_000);
  afterAll(async () => {
    await stopAll();
    await postgres.stop();
    removePostgres(folder);
  });

  const published = (): Promise<unknown> =>
    until(async () => ok(await acme.operator.get('/v1/stats')).body.publishLag.events === 0, { timeoutMs: 60_000 });
  /** What a consumer with the guard of the contract holds, having read the topic. */
  const consumed = async (topic: keyof typeof topics): Promise<Map<string, Held>> => {
    const held = new Map<string, Held>();
    for (const { key, value, headers } of await readTopic(topicName(prefix, topics[topic]))) {
      const [epoch, version] = [Number(headers.ce_epoch), Number(headers.ce_sequence)];
      const { user = {} }: { user?: Json } = JSON.parse(value ?? '{}');
      take(held, key ?? '', {
        epoch,
        version,
        openIds: openIdsOf(topic === 'userEvents' ? user : JSON.parse(value ?? '{}')),
      });
    }
    return held;
  };
  const truth = async (id: string): Promise<string[]> => openIdsOf(ok(await acme.operator.get(`/v1/users/${id}`)).body);

  it('consumers end at what is true now, whatever they had heard, and the feed goes on from a place ahead of it', async () => {
    const changed = (await acme.resolved('a1', 'oChanged', 'uChanged')).user.id;
    const quiet = (await acme.resolved('a1', 'oQuiet', 'uQuiet')).user.id;
    await published();
    // Of who changed a moment ago a relay tells the state once more when it takes over; this is of the others.
    await query(`UPDATE journal SET recorded_at = recorded_at - interval '1 day'`);
    // Where root's unprivileged account cannot get to the folder, the cluster is a link.
    const cluster = realpathSync(join(folder, 'cluster'));
    const backup = join(folder, 'backup');
    await postgres.stop();
    execFileSync('cp', ['-a', cluster, backup]);
    await begin(postgres.port);
    await until(async () => (await acme.operator.get('/readyz')).status === 200, { timeoutMs: 60_000 });

    await acme.resolved('a2', 'oLost1', 'uChanged');
    await acme.resolved('a2', 'oLost2', 'uQuiet');
    const lost = (await acme.resolved('a1', 'oLost3', 'uLost')).user.id;
    await published();
    const ahead = await pageAll(acme, null);
    expect(ahead.events.size).toBe(5);

    await stopAll();
    await postgres.kill();
    rmSync(cluster, { recursive: true });
    execFileSync('cp', ['-a', backup, cluster]);
    await begin(postgres.port);
    expect(await runCli(databaseUrl(), ['restored'])).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('the restore epoch is 2, it was 1'),
    });
    await startAll();
    const refused = await runCli(databaseUrl(), ['restored']);
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('nothing was done')]);

    await acme.resolved('a3', 'oAfter', 'uChanged');
    await published();
    const heard = await consumed('userEvents');
    expect(heard.get(changed)).toEqual({
      epoch: 2,
      version: 2,
      openIds: await truth(changed),
    });
    const since = await pageAll(acme, ahead.next);
    expect(since.held.get(changed)).toEqual({ epoch: 2, version: 2, openIds: await truth(changed) });

    // Nobody has told anything of the quiet one since: doctor names it, and who is no more.
    const doctor = await runCli(databaseUrl(), ['doctor'], env);
    expect([doctor.code, doctor.stdout]).toEqual([1, expect.stringContaining(quiet)]);
    expect(doctor.stdout).toContain(lost);
    expect(doctor.stdout).not.toContain(changed);
    expect(heard.get(quiet)?.openIds).toEqual(['oLost2', 'oQuiet']);
    const again = ['replay', 'snapshot'].map((what) => runCli(databaseUrl(), ['events', what, '--user', quiet], env));
    for (const ending of await Promise.all(again)) ok200(ending);
    const [events, states] = await Promise.all([consumed('userEvents'), consumed('userStates')]);
    expect(events.get(quiet)).toEqual({ epoch: 2, version: 1, openIds: await truth(quiet) });
    expect(states.get(quiet)?.openIds).toEqual(await truth(quiet));
    // Without Kafka the same comes of reading the feed from its start.
    const anew = await pageAll(acme, null, since.held);
    expect(anew.held.get(quiet)).toEqual({ epoch: 2, version: 1, openIds: await truth(quiet) });
  }, 300_000);
});

const openIdsOf = (user: Json): string[] =>
  (user.identities ?? []).map(({ openId }: { openId: string }) => openId).toSorted();

/** The guard of the contract: what is not above it is ignored. */
function take(held: Map<string, Held>, id: string, next: Held): void {
  const before = held.get(id);
  if (
    before === undefined ||
    before.epoch < next.epoch ||
    (before.epoch === next.epoch && before.version < next.version)
  )
    held.set(id, next);
}

async function pageAll(
  acme: Acme,
  from: string | null,
  before: ReadonlyMap<string, Held> = new Map(),
): Promise<{ readonly events: ReadonlySet<string>; readonly held: Map<string, Held>; readonly next: string }> {
  const held = new Map(before);
  const events = new Set<string>();
  for (let after = from; ;) {
    const { body } = ok(await acme.operator.get(`/v1/events?limit=200${after === null ? '' : `&after=${after}`}`));
    for (const { id, epoch, sequence, subject, data } of body.items) {
      events.add(id);
      take(held, subject, { epoch: Number(epoch), version: Number(sequence), openIds: openIdsOf(data.user) });
    }
    after = body.nextCursor;
    if (body.items.length === 0) return { events, held, next: body.nextCursor };
  }
}

function ok200({ code, stderr }: { readonly code: number; readonly stderr: string }): void {
  expect([code, stderr]).toEqual([0, expect.any(String)]);
}
