import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { migrate } from '../../tools/migrate.js';
import { type Database, emptyDatabase } from '../harness/database.js';

describe('migrate', () => {
  let database: Database;
  let folder: string;

  const write = (name: string, sql: string) => {
    mkdirSync(join(folder, name), { recursive: true });
    writeFileSync(join(folder, name, 'migration.sql'), sql);
  };
  const books = () =>
    database.query(
      `SELECT migration_name AS name, checksum, finished_at IS NOT NULL AS finished, applied_steps_count AS steps
         FROM _prisma_migrations ORDER BY migration_name`,
    );

  beforeEach(async () => {
    database = await emptyDatabase();
    folder = mkdtempSync(join(tmpdir(), 'migrations-'));
  });

  afterEach(async () => {
    await database.drop();
    rmSync(folder, { recursive: true });
  });

  it("applies in the order of names, once, and keeps Prisma's books", async () => {
    write('2_second', 'INSERT INTO fruit VALUES (1)');
    write('1_first', 'CREATE TABLE fruit (id int)');
    expect(await migrate(database.url, { folder })).toEqual({ applied: ['1_first', '2_second'], before: 0 });
    expect(await migrate(database.url, { folder })).toEqual({ applied: [], before: 2 });
    expect(await database.query('SELECT id FROM fruit')).toEqual([{ id: 1 }]);
    expect(await books()).toEqual([
      {
        name: '1_first',
        // sha256sum of the file
        checksum: '4c95e2456189f96ad04b3fe4e18352974eb1bd56b1d8df872ff196c2d16d3749',
        finished: true,
        steps: 1,
      },
      { name: '2_second', checksum: expect.any(String), finished: true, steps: 1 },
    ]);
  });

  it('applies each once when several start at the same time', async () => {
    write('1_first', 'CREATE TABLE fruit (id int)');
    const runs = await Promise.all(Array.from({ length: 5 }, () => migrate(database.url, { folder })));
    expect(runs.flatMap(({ applied }) => applied)).toEqual(['1_first']);
  });

  it('leaves nothing of a migration that fails in its middle, and says where', async () => {
    write('1_first', 'CREATE TABLE fruit (id int);\nINSERT INTO vegetable VALUES (1);');
    await expect(migrate(database.url, { folder })).rejects.toThrow(
      'Migration 1_first failed: relation "vegetable" does not exist (42P01, line 2)',
    );
    expect(await database.query(`SELECT to_regclass('fruit') AS fruit`)).toEqual([{ fruit: null }]);
    write('1_first', 'CREATE TABLE fruit (id int);');
    expect((await migrate(database.url, { folder })).applied).toEqual(['1_first']);
  });

  it('refuses when an applied migration was changed', async () => {
    write('1_first', 'CREATE TABLE fruit (id int)');
    await migrate(database.url, { folder });
    write('1_first', 'CREATE TABLE fruit (id bigint)');
    write('2_second', 'CREATE TABLE tree (id int)');
    await expect(migrate(database.url, { folder })).rejects.toThrow('1_first was applied here with other contents');
    expect(await books()).toHaveLength(1);
  });

  it('runs a migration outside a transaction where its file says so, and refuses to go on from one that failed', async () => {
    write('1_first', 'CREATE TABLE fruit (id int); INSERT INTO fruit VALUES (1), (1)');
    write('2_index', '-- migrate: no transaction\nCREATE INDEX CONCURRENTLY fruit_id ON fruit (id)');
    expect((await migrate(database.url, { folder })).applied).toHaveLength(2);
    write('3_unique', '-- migrate: no transaction\nCREATE UNIQUE INDEX CONCURRENTLY fruit_once ON fruit (id)');
    await expect(migrate(database.url, { folder })).rejects.toThrow('3_unique failed');
    await expect(migrate(database.url, { folder })).rejects.toThrow('3_unique began here once and did not finish');
  });

  it('says which server did not let it in, and never the password', async () => {
    const attempt = migrate('postgresql://somebody:topsecret@127.0.0.1:9/nowhere', { folder });
    await expect(attempt).rejects.toThrow('127.0.0.1:9, database "nowhere", user "somebody"');
    await expect(attempt).rejects.not.toThrow('topsecret');
  });
});
