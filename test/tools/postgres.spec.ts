import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from 'pg';
import { type Postgres, removePostgres, startPostgres } from '../../tools/postgres.js';
import { services } from '../harness/services.js';

const ask = async (postgres: Postgres, sql: string) => {
  const client = new Client({ connectionString: postgres.url() });
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
};

describe('The embedded PostgreSQL', () => {
  it('goes on where it left off after a kill -9, on the same port, with what was committed', async () => {
    const folder = mkdtempSync(join(services.folder, 'postgres-'));
    const first = await startPostgres({ folder, password: 'one', isShortLived: true });
    await ask(first, 'CREATE TABLE kept (id int); INSERT INTO kept VALUES (1)');
    await first.kill();
    const second = await startPostgres({ folder, password: 'one', port: first.port });
    expect(second.port).toBe(first.port);
    expect(await ask(second, 'SELECT id FROM kept')).toEqual([{ id: 1 }]);
    await second.stop();
    expect(second.child.ending).toEqual({ code: 0, signal: null });
    removePostgres(folder);
  });

  it('stops a server that its dead starter left running in the folder, rather than disturb its files', async () => {
    const folder = mkdtempSync(join(services.folder, 'postgres-'));
    const left = await startPostgres({ folder, password: 'one', isShortLived: true });
    const next = await startPostgres({ folder, password: 'one' });
    expect(left.child.ending).toEqual({ code: 0, signal: null });
    expect(await ask(next, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    await next.stop();
    removePostgres(folder);
  });
});
