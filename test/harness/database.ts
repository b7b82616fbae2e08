import { randomBytes } from 'node:crypto';
import { Client, type QueryResultRow } from 'pg';
import { services } from './services.js';

/** What a spec that failed half-way left open. */
const openDatabases = new Set<() => Promise<void>>();

export interface Database {
  readonly name: string;
  readonly url: string;
  /** For arranging and looking: one statement after the other, on one connection. */
  query<Row extends QueryResultRow>(sql: string, values?: readonly unknown[]): Promise<Row[]>;
  /** Also when somebody is still connected. */
  drop(): Promise<void>;
}

/** A new database with the product's tables, cloned from the migrated template: a few tenths of a second. */
export const freshDatabase = (): Promise<Database> => createDatabase(`TEMPLATE ${services.templateDatabase}`);

/** A new database with nothing in it. */
export const emptyDatabase = (): Promise<Database> => createDatabase('TEMPLATE template0');

async function createDatabase(from: string): Promise<Database> {
  // The template's name is the run's; what begins with it is swept when the run ends.
  const name = `${services.templateDatabase}_${randomBytes(5).toString('hex')}`;
  await once(services.adminUrl, `CREATE DATABASE ${name} ${from}`);
  const url = withDatabase(services.adminUrl, name);
  let connection: Promise<Client> | undefined;
  const disconnect = async (): Promise<void> => {
    const open = connection;
    connection = undefined;
    await (await open?.catch(() => undefined))?.end();
  };
  openDatabases.add(disconnect);
  return {
    name,
    url,
    // One connection for all of them: a new one for every look costs more than the look.
    query: async <Row extends QueryResultRow>(sql: string, values?: readonly unknown[]): Promise<Row[]> => {
      connection ??= connect(url, () => (connection = undefined));
      try {
        const client = await connection;
        const { rows } = await client.query<Row>(sql, values === undefined ? undefined : [...values]);
        return rows;
      } catch (error) {
        // After a statement that failed the connection may hold an open transaction, or be gone.
        await disconnect();
        throw error;
      }
    },
    drop: async () => {
      await disconnect();
      openDatabases.delete(disconnect);
      await once(services.adminUrl, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
    },
  };
}

function withDatabase(url: string, name: string): string {
  const changed = new URL(url);
  changed.pathname = `/${name}`;
  return changed.href;
}

async function connect(url: string, broken: () => void = () => undefined): Promise<Client> {
  const client = new Client({ connectionString: url });
  client.on('error', broken);
  await client.connect();
  return client;
}

async function once<Row extends QueryResultRow>(url: string, sql: string, values?: readonly unknown[]): Promise<Row[]> {
  const client = await connect(url);
  try {
    const { rows } = await client.query<Row>(sql, values === undefined ? undefined : [...values]);
    return rows;
  } finally {
    await client.end();
  }
}

afterAll(async () => {
  for (const disconnect of openDatabases) await disconnect();
});
