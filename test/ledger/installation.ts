import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { randomBytes } from 'node:crypto';
import { startKafka, type KafkaBroker } from '../../tools/kafka.js';
import { freePort } from '../../tools/machine.js';
import { migrate } from '../../tools/migrate.js';
import { type Postgres, startPostgres } from '../../tools/postgres.js';
import { Database, readRelayLag } from '../../libs/store/src/index.js';
import { freshDatabase } from '../harness/database.js';
import { createSmallTopics, freshTopicPrefix } from '../harness/kafka.js';
import { type KafkaProxy, startKafkaProxy } from '../harness/kafka-proxy.js';
import { type App, operatorKey, startApi, startRelay } from '../harness/processes.js';
import { services } from '../harness/services.js';
import { http } from '../harness/http.js';
import { shortOrWhole } from '../harness/torture.js';
import { until } from '../harness/until.js';

/** A process that is killed and comes back under the same address. */
export interface Slot {
  app(): App;
  /** kill -9, and a new one at once; it is not waited for. */
  replace(): Promise<void>;
}

export interface RelaySlot extends Slot {
  /** Between it and Kafka. */
  readonly proxy: KafkaProxy;
  /** What it calls itself in its leases. */
  relayId(): Promise<string>;
}

/** APIs and relays, with a PostgreSQL and a broker of their own where those are to be killed. */
export interface Installation {
  readonly databaseUrl: string;
  readonly database: Database;
  readonly brokers: string;
  readonly prefix: string;
  /** Full name of the topic of user events. */
  readonly events: string;
  readonly apis: readonly Slot[];
  readonly relays: readonly RelaySlot[];
  killPostgres(): Promise<void>;
  killBroker(): Promise<void>;
  /** As if the rest of its lease had passed. */
  expireLeasesOf(relayId: string): Promise<void>;
  untilPublished(): Promise<void>;
  stop(): Promise<void>;
}

export interface InstallationOptions {
  readonly hasOwnPostgres?: boolean;
  readonly hasOwnBroker?: boolean;
}

/** Of each: one is enough to be killed once. */
const count = shortOrWhole(1, 2);
const patience = { timeoutMs: 180_000 };

export async function startInstallation(options: InstallationOptions): Promise<Installation> {
  const folder = join(services.folder, `ledger-${randomBytes(5).toString('hex')}`);
  mkdirSync(folder);
  const postgres = options.hasOwnPostgres === true ? await ownPostgres(folder) : null;
  const shared = postgres === null ? await freshDatabase() : null;
  const databaseUrl = postgres?.url() ?? shared?.url ?? '';
  const broker = options.hasOwnBroker === true ? await ownBroker(folder) : null;
  const brokers = broker?.brokers ?? services.kafkaBrokers;
  const prefix = freshTopicPrefix();
  await createSmallTopics(prefix, brokers);
  const database = new Database({ url: databaseUrl, poolMax: 3, applicationName: 'spec' });
  const apis = await Promise.all(Array.from({ length: count }, () => apiSlot(databaseUrl)));
  const relays = await Promise.all(Array.from({ length: count }, () => relaySlot(databaseUrl, brokers, prefix)));
  await register(apis[0]);
  return {
    databaseUrl,
    database,
    brokers,
    prefix,
    events: `${prefix}identity.user-events.v1`,
    apis,
    relays,
    killPostgres: async () => {
      await postgres?.restart();
    },
    killBroker: async () => {
      await broker?.restart();
    },
    expireLeasesOf: async (relayId) => {
      const text = `UPDATE relay_shard SET expires_at = 'epoch' WHERE owner = $1`;
      await until(async () => (await database.query({ text, values: [relayId] }), true), patience);
    },
    untilPublished: async () => {
      const what = 'everything to be published';
      await until(async () => (await readRelayLag(database)).events === 0, { ...patience, what });
    },
    stop: async () => {
      for (const slot of [...apis, ...relays]) await slot.app().kill();
      for (const { proxy } of relays) await proxy.close();
      await database.close();
      await shared?.drop();
      await postgres?.end();
      await broker?.end();
    },
  };
}

async function register(slot: Slot | undefined): Promise<void> {
  const operator = http(slot?.app().url ?? '', operatorKey);
  await operator.put('/v1/entities/acme', { name: 'Acme' });
  await operator.put('/v1/entities/acme/open-platforms/op1', { name: 'op1' });
  for (const appId of ['a1', 'a2', 'a3'])
    await operator.put(`/v1/entities/acme/apps/${appId}`, { kind: 'mini_program', name: appId, openPlatformId: 'op1' });
}

async function apiSlot(databaseUrl: string): Promise<Slot> {
  const port = await freePort();
  let app = await startApi({ databaseUrl, port });
  return {
    app: () => app,
    replace: async () => {
      await app.kill();
      app = await startApi({ databaseUrl, port, waitFor: 'nothing' });
    },
  };
}

async function relaySlot(databaseUrl: string, brokers: string, prefix: string): Promise<RelaySlot> {
  const proxy = await startKafkaProxy(brokers);
  const start = (): Promise<App> =>
    startRelay({
      databaseUrl,
      env: { KAFKA_BROKERS: proxy.brokers, KAFKA_TOPIC_PREFIX: prefix },
      waitFor: 'nothing',
    });
  let app = await start();
  return {
    proxy,
    app: () => app,
    relayId: async () => {
      const what = 'a relay to say who it is';
      return String(
        await until(() => app.logs().find(({ msg }) => msg === 'listening')?.relayId, { ...patience, what }),
      );
    },
    replace: async () => {
      await app.kill();
      app = await start();
    },
  };
}

interface Own {
  restart(): Promise<void>;
  end(): Promise<void>;
}

async function ownPostgres(folder: string): Promise<Own & Pick<Postgres, 'url'>> {
  const password = randomBytes(12).toString('hex');
  const options = { folder: join(folder, 'postgres'), password, isShortLived: true };
  mkdirSync(options.folder);
  let postgres = await startPostgres(options);
  await migrate(postgres.url());
  const { port } = postgres;
  return {
    url: (name) => postgres.url(name),
    restart: async () => {
      await postgres.kill();
      postgres = await startPostgres({ ...options, port });
      if (postgres.port !== port) throw new Error('somebody took the port of PostgreSQL');
    },
    end: () => postgres.stop(),
  };
}

async function ownBroker(folder: string): Promise<Own & Pick<KafkaBroker, 'brokers'>> {
  const options = { folder: join(folder, 'kafka') };
  let broker = await startKafka(options);
  const { port, brokers } = broker;
  return {
    brokers,
    restart: async () => {
      await broker.kill();
      // On a crowded machine a start may take longer than it has; then it is tried again.
      const what = 'the broker to start again';
      broker = await until(() => startKafka({ ...options, port }), { timeoutMs: 300_000, what });
      if (broker.port !== port) throw new Error('somebody took the port of Kafka');
    },
    end: () => broker.kill(),
  };
}
