import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Client } from 'pg';
import { Database, readRelayLag } from '../libs/store/src/index.js';
import { root } from '../tools/machine.js';
import { type Database as TestDatabase, freshDatabase } from './harness/database.js';
import { createSmallTopics, freshTopicPrefix, type KafkaRecord, readTopic } from './harness/kafka.js';
import { type App, startRelay } from './harness/processes.js';
import { until } from './harness/until.js';
import { change, connect, createUsers, notice } from './relay-people.js';

const fileOf = (name: string): string => readFileSync(join(root, 'deploy', 'debezium', name), 'utf8');
const prefix = freshTopicPrefix();

/** A row of the outbox as its event router sends it; what the router was seen to do is in docs/operating.md. */
type Row = Readonly<Record<string, string | null>>;

describe('Debezium in the place of the relay', () => {
  const config = JSON.parse(fileOf('connector.json')).config as Record<string, string>;
  let fresh: TestDatabase;
  let client: Client;
  let database: Database;
  let relay: App;

  const setting = (name: string): string => config[`transforms.${name}`] ?? '';

  const routed = (row: Row): Omit<KafkaRecord, 'partition' | 'offset'> => {
    const of = (name: string): string => row[setting(`outbox.${name}`)] ?? '';
    const placed = setting('outbox.table.fields.additional.placement').split(',');
    const headers = placed.flatMap((placement) => {
      const [column = '', , name = ''] = placement.split(':');
      const value = row[column];
      if (value === undefined) throw new Error(`the outbox has no column ${column}`);
      return value === null ? [] : [[name, value] as const];
    });
    return {
      topic: setting('outbox.route.topic.replacement').replace('${routedByValue}', `${prefix}${of('route.by.field')}`),
      key: of('table.field.event.key'),
      value: of('table.field.event.payload'),
      headers: Object.fromEntries(headers),
    };
  };

  const start = async (env: Record<string, string> = {}): Promise<void> => {
    relay = await startRelay({ databaseUrl: fresh.url, env: { KAFKA_TOPIC_PREFIX: prefix, ...env } });
  };

  const published = async (userId: string, name: string): Promise<KafkaRecord[]> => {
    await until(async () => (await readRelayLag(database)).events === 0, { timeoutMs: 60_000, what: 'a relay' });
    return (await readTopic(`${prefix}identity.${name}.v1`)).filter(({ key }) => key === userId);
  };

  const changedUser = async (): Promise<string> => {
    const [userId = ''] = await createUsers(client, 1);
    await change(client, userId);
    await notice(client, userId);
    return userId;
  };

  beforeAll(async () => {
    await createSmallTopics(prefix);
    fresh = await freshDatabase();
    client = await connect(fresh.url);
    database = new Database({ url: fresh.url, poolMax: 2, applicationName: 'spec' });
    await client.query(fileOf('outbox.sql'));
    await client.query(fileOf('outbox.sql'));
  });
  afterEach(() => relay.stop());
  afterAll(async () => {
    await client.end();
    await database.close();
    await fresh.drop();
  });

  it('finds in the outbox what the relay sends, in the same order, and leaves nothing there', async () => {
    await client.query(`CREATE TABLE seen AS SELECT 0::bigint AS n, * FROM outbox;
      CREATE SEQUENCE seen_n;
      CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO seen SELECT nextval(''seen_n''), NEW.*; RETURN NULL; END';
      CREATE TRIGGER see AFTER INSERT ON outbox FOR EACH ROW EXECUTE FUNCTION see();`);
    // Who writes has a table of that name for itself, which must not be taken for ours.
    await client.query('CREATE TEMPORARY TABLE outbox (LIKE outbox)');
    const userId = await changedUser();
    await client.query('DROP TABLE pg_temp.outbox');
    await start();
    const sent = [...(await published(userId, 'user-events')), ...(await published(userId, 'notices'))];
    expect(sent).toHaveLength(3);
    const { rows } = await client.query<Row>('SELECT * FROM seen ORDER BY n');
    expect(rows.map(routed)).toEqual(sent.map(({ topic, key, value, headers }) => ({ topic, key, value, headers })));
    expect((await client.query('SELECT FROM outbox')).rowCount).toBe(0);
  });

  it('has events and notices to itself while the relay is off, which goes on telling states', async () => {
    await start({ RELAY: 'off' });
    const userId = await changedUser();
    const states = await until(
      async () => {
        const told = await published(userId, 'user-states');
        return told.at(-1)?.headers.ce_sequence === '0000000002' && told;
      },
      { timeoutMs: 60_000, what: 'the state' },
    );
    expect(JSON.parse(states.at(-1)?.value ?? '')).toMatchObject({ id: userId, version: 2 });
    expect(await published(userId, 'user-events')).toEqual([]);
    expect(await published(userId, 'notices')).toEqual([]);
  });
});
