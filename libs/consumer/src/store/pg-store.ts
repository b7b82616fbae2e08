import type { FollowerStore, Unit } from '../book.js';
import { FailedStatement } from './failed-statement.js';
import { SqlBook } from './sql-book.js';
import type { Query } from './sql-desk.js';
import { missingTables, tablesLock, tablesThere } from './tables.js';

/** What we need of pg's PoolClient. */
export interface PgClient {
  query(sql: string, parameters?: unknown[]): Promise<{ rows: unknown[]; command?: string }>;
}

/** What we need of pg's Pool. */
export interface PgPool<Client extends PgClient> {
  connect(): Promise<Client & PgLoan>;
}

/** What a client of a pool has besides. */
interface PgLoan {
  release(error?: Error | boolean): void;
  on(event: 'error', listener: (error: Error) => void): unknown;
  off(event: 'error', listener: (error: Error) => void): unknown;
}

/** Your database through pg: `new PgStore(pool)`. Handlers get the client that has the transaction open. */
export class PgStore<Client extends PgClient> implements FollowerStore<Client> {
  constructor(private readonly pool: PgPool<Client>) {}

  async ensureTables(): Promise<void> {
    await this.transaction(async ({ tx }) => {
      await tx.query(tablesLock);
      const { rows } = await tx.query(tablesThere);
      for (const statement of missingTables(rows)) await tx.query(statement);
    });
  }

  book(client: Client): SqlBook {
    const query: Query = async <Row extends object>(sql: string, parameters: readonly unknown[]) =>
      (await client.query(sql, [...parameters])).rows as Row[];
    return new SqlBook(query);
  }

  async transaction<T>(work: (unit: Unit<Client>) => Promise<T>): Promise<T> {
    const client = await this.pool.connect();
    let broken: Error | undefined;
    // The statement under way fails as well when the connection is lost; unheard, this event would end the process.
    const onLost = (error: Error): void => void (broken = error);
    client.on('error', onLost);
    try {
      await client.query('BEGIN');
      const result = await work({ tx: client, book: this.book(client) });
      const { command } = await client.query('COMMIT');
      if (command === 'ROLLBACK') throw new FailedStatement();
      return result;
    } catch (error) {
      // A connection that cannot roll back is not given back: its transaction may still be open.
      await client.query('ROLLBACK').catch((failure: Error) => (broken = failure));
      throw error;
    } finally {
      client.off('error', onLost);
      client.release(broken);
    }
  }
}
