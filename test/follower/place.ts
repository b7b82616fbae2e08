import { Client } from 'pg';
import { patience, type Person, type Scene } from '../consumer-scene.js';
import { type Database, emptyDatabase } from '../harness/database.js';
import { kafkaClient } from '../harness/kafka.js';
import { type App, type AppOptions, startFollower } from '../harness/processes.js';
import { services } from '../harness/services.js';
import { until } from '../harness/until.js';

export interface Effect {
  readonly user_id: string;
  readonly version: number;
  readonly by_whom: string;
}

/** The database of a service that follows (main.ts), its processes, and what happens to both. */
export class Place {
  private readonly apps: App[] = [];

  private constructor(
    private readonly scene: Scene,
    readonly database: Database,
    private readonly gate: Client,
    private readonly admin: Client,
  ) {}

  static async open(scene: Scene): Promise<Place> {
    const database = await emptyDatabase();
    await database.query('CREATE TABLE done (n bigserial, user_id text, version int, by_whom text)');
    await database.query('CREATE TABLE broken (user_id text)');
    return new Place(scene, database, await connect(database.url), await connect(services.adminUrl));
  }

  async close(): Promise<void> {
    for (const app of this.apps) await app.kill();
    await this.gate.end();
    await this.database.drop();
    await this.admin.end();
  }

  /** KafkaJS has more patience where it does not know of a test. */
  async follow(who: string, { env, ...options }: AppOptions = {}): Promise<App> {
    const app = await startFollower({
      databaseUrl: this.database.url,
      env: { NODE_ENV: 'production', KAFKA_TOPIC_PREFIX: this.scene.prefix, GROUP: 'follower', WHO: who, ...env },
      ...options,
    });
    this.apps.push(app);
    return app;
  }

  // --- the gate between an effect and its commit ---

  async shutGate(): Promise<void> {
    await this.gate.query('SELECT pg_advisory_lock(1)');
  }

  async openGate(): Promise<void> {
    await this.gate.query('SELECT pg_advisory_unlock(1)');
  }

  /** One transaction ends; the next one waits again. */
  async letOneThrough(): Promise<void> {
    await this.gate.query('SELECT pg_advisory_unlock(1), pg_advisory_lock(1)');
  }

  async untilAtGate(): Promise<void> {
    const waiting = `SELECT FROM pg_stat_activity WHERE datname = $1 AND application_name = 'follower' AND wait_event = 'advisory'`;
    const isThere = async (): Promise<boolean> =>
      (await this.admin.query(waiting, [this.database.name])).rows.length > 0;
    await until(isThere, { ...patience, what: 'a handler between its effect and the commit' });
  }

  /** A transaction of a process that was killed ends when the database notices. */
  async untilGone(): Promise<void> {
    const left = `SELECT FROM pg_stat_activity WHERE datname = $1 AND application_name = 'follower'`;
    const isGone = async (): Promise<boolean> => (await this.admin.query(left, [this.database.name])).rows.length === 0;
    await until(isGone, { ...patience, what: 'the transactions of the process to end' });
  }

  // --- the database is away ---

  /** For the processes; who looks from here stays connected. */
  async leave(): Promise<void> {
    const { name } = this.database;
    await this.admin.query(`ALTER DATABASE ${name} ALLOW_CONNECTIONS false`);
    const ended = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND application_name = 'follower'`;
    await this.admin.query(ended, [name]);
  }

  async comeBack(): Promise<void> {
    await this.admin.query(`ALTER DATABASE ${this.database.name} ALLOW_CONNECTIONS true`);
  }

  // --- the consumer group ---

  /** Its state, and how many members it has. */
  async group(): Promise<string> {
    const [row] = await this.database.query(`SELECT value FROM unionlink_cursor WHERE name = 'follower'`);
    const admin = kafkaClient().admin();
    await admin.connect();
    try {
      const { groups } = await admin.describeGroups([`follower.${row?.['value']}`]);
      return `${groups[0]?.state} ${groups[0]?.members.length}`;
    } finally {
      await admin.disconnect();
    }
  }

  // --- who is broken, who is parked ---

  async breakFor({ id }: Person): Promise<void> {
    await this.database.query('INSERT INTO broken VALUES ($1)', [id]);
  }

  async mend(): Promise<void> {
    await this.database.query('DELETE FROM broken');
  }

  async untilParked(count: number): Promise<void> {
    const parked = 'SELECT FROM unionlink_parked_user';
    const isSo = async (): Promise<boolean> => (await this.database.query(parked)).length === count;
    await until(isSo, { ...patience, what: `${count} parked users` });
  }

  // --- effects ---

  async effects(people: readonly Pick<Person, 'id'>[]): Promise<Effect[]> {
    const ids = people.map(({ id }) => id);
    return this.database.query('SELECT user_id, version, by_whom FROM done WHERE user_id = ANY ($1) ORDER BY n', [ids]);
  }

  async versions(person: Pick<Person, 'id'>): Promise<number[]> {
    return (await this.effects([person])).map(({ version }) => version);
  }

  /** Of anybody: what had its effect more than once. */
  repeated(): Promise<object[]> {
    return this.database.query('SELECT user_id, version FROM done GROUP BY user_id, version HAVING count(*) > 1');
  }

  async workOf(who: string): Promise<number> {
    return (await this.database.query('SELECT FROM done WHERE by_whom = $1', [who])).length;
  }

  async untilWorked(who: string, count: number): Promise<void> {
    await until(async () => (await this.workOf(who)) >= count, { ...patience, what: `${count} effects of ${who}` });
  }

  async untilAllAt(people: readonly Person[], version: number): Promise<void> {
    const isThrough = async (): Promise<boolean> => {
      const reached = (await this.effects(people)).filter((effect) => effect.version >= version);
      return new Set(reached.map((effect) => effect.user_id)).size === people.length;
    };
    await until(isThrough, { ...patience, what: `effects of version ${version} for ${people.length} people` });
  }
}

async function connect(url: string): Promise<Client> {
  const client = new Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  return client;
}
