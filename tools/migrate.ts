import { createHash, randomUUID } from 'node:crypto';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client, DatabaseError } from 'pg';
import { Refusal, root, runTool, say as print } from './machine.js';

/**
 * Applies prisma/migrations, keeping Prisma's own books (`_prisma_migrations`), so that whoever has Prisma's engine can go
 * on with Prisma Migrate. Prisma's own `migrate deploy` needs an engine that npm does not carry, and without it exits
 * 0 having done nothing.
 */

/** The number under which Prisma Migrate takes its lock, so that the two wait for each other. */
const PRISMA_LOCK_ID = 72_707_369;

const CREATE_BOOKS = `
  CREATE TABLE IF NOT EXISTS _prisma_migrations (
    id                  varchar(36)  PRIMARY KEY NOT NULL,
    checksum            varchar(64)  NOT NULL,
    finished_at         timestamptz,
    migration_name      varchar(255) NOT NULL,
    logs                text,
    rolled_back_at      timestamptz,
    started_at          timestamptz  NOT NULL DEFAULT now(),
    applied_steps_count integer      NOT NULL DEFAULT 0
  )`;

/**
 * A migration that says so on a line of its own runs outside a transaction, as CREATE INDEX CONCURRENTLY must. It holds
 * one statement only: PostgreSQL makes a transaction of several sent together, and would refuse.
 */
const OUTSIDE_TRANSACTION = /^-- migrate: no transaction$/m;

interface Migration {
  readonly name: string;
  readonly sql: string;
  /** Prisma's: the SHA-256 of the file. */
  readonly checksum: string;
}

interface Entry {
  readonly migration_name: string;
  readonly checksum: string;
  readonly finished_at: Date | null;
}

export interface MigrateOptions {
  readonly folder?: string;
  readonly say?: (line: string) => void;
}

export interface Migrated {
  /** Names of those applied now, in order. */
  readonly applied: readonly string[];
  /** How many were in place before. */
  readonly before: number;
}

export async function migrate(databaseUrl: string, options: MigrateOptions = {}): Promise<Migrated> {
  const { folder = join(root, 'prisma', 'migrations'), say = () => undefined } = options;
  const migrations = readMigrations(folder);
  const client = new Client({ connectionString: databaseUrl, application_name: 'unionlink-migrate' });
  // The query that is under way reports a broken connection; this only keeps the event from ending the process.
  client.on('error', () => undefined);
  await connect(client);
  try {
    await client.query('SELECT pg_advisory_lock($1)', [PRISMA_LOCK_ID]);
    await client.query(CREATE_BOOKS);
    const entries = await readBooks(client);
    refuseUnsound(entries, migrations);
    const done = new Set(entries.map((entry) => entry.migration_name));
    const applied: string[] = [];
    for (const migration of migrations) {
      if (done.has(migration.name)) continue;
      const startedAt = performance.now();
      await apply(client, migration);
      applied.push(migration.name);
      say(`applied ${migration.name} (${Math.round(performance.now() - startedAt)} ms)`);
    }
    return { applied, before: done.size };
  } finally {
    // Closing the session gives the lock back, also after an error in the middle of a transaction.
    await client.end();
  }
}

async function connect(client: Client): Promise<void> {
  try {
    await client.connect();
  } catch (error) {
    // Never the URL itself: it holds the password.
    const where = `${client.host}:${client.port}, database "${client.database}", user "${client.user}"`;
    const why = error instanceof AggregateError ? error.errors.map(String).join('; ') : String(error);
    throw new Refusal(`DATABASE_URL leads to ${where}, and that did not let us in: ${why}`, { cause: error });
  }
}

function readMigrations(folder: string): readonly Migration[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && existsSync(join(folder, entry.name, 'migration.sql')))
    .map((entry) => entry.name)
    .toSorted()
    .map((name) => {
      const file = readFileSync(join(folder, name, 'migration.sql'));
      return { name, sql: file.toString('utf8'), checksum: createHash('sha256').update(file).digest('hex') };
    });
}

async function readBooks(client: Client): Promise<readonly Entry[]> {
  const { rows } = await client.query<Entry>(
    'SELECT migration_name, checksum, finished_at FROM _prisma_migrations WHERE rolled_back_at IS NULL ORDER BY started_at',
  );
  return rows;
}

function refuseUnsound(entries: readonly Entry[], migrations: readonly Migration[]): void {
  const known = new Map(migrations.map((migration) => [migration.name, migration]));
  for (const { migration_name: name, checksum, finished_at: finishedAt } of entries) {
    if (finishedAt === null) {
      throw new Refusal(
        `Migration ${name} began here once and did not finish. See what it left, put it right, then delete its row from _prisma_migrations (or use "prisma migrate resolve") and run this again.`,
      );
    }
    const migration = known.get(name);
    if (migration !== undefined && migration.checksum !== checksum) {
      throw new Refusal(
        `Migration ${name} was applied here with other contents (checksum ${checksum.slice(0, 12)}…, the file has ${migration.checksum.slice(0, 12)}…). An applied migration is never changed: restore the file and write a new one.`,
      );
    }
  }
}

async function apply(client: Client, migration: Migration): Promise<void> {
  try {
    await (OUTSIDE_TRANSACTION.test(migration.sql) ? applyBare(client, migration) : applyWhole(client, migration));
  } catch (error) {
    throw new Refusal(`Migration ${migration.name} failed: ${describe(error, migration.sql)}`, { cause: error });
  }
}

/** Migration and book entry in one transaction: a failure leaves no trace of either. */
async function applyWhole(client: Client, { name, sql, checksum }: Migration): Promise<void> {
  await client.query('BEGIN');
  await client.query(sql);
  await client.query(
    `INSERT INTO _prisma_migrations (id, checksum, migration_name, started_at, finished_at, applied_steps_count)
     VALUES ($1, $2, $3, now(), clock_timestamp(), 1)`,
    [randomUUID(), checksum, name],
  );
  await client.query('COMMIT');
}

/** Without a transaction a failure may leave half of it, so the entry is made first and stays unfinished. */
async function applyBare(client: Client, { name, sql, checksum }: Migration): Promise<void> {
  const id = randomUUID();
  await client.query(
    'INSERT INTO _prisma_migrations (id, checksum, migration_name, started_at) VALUES ($1, $2, $3, clock_timestamp())',
    [id, checksum, name],
  );
  try {
    await client.query(sql);
  } catch (error) {
    await client.query('UPDATE _prisma_migrations SET logs = $2 WHERE id = $1', [id, String(error)]);
    throw error;
  }
  await client.query(
    'UPDATE _prisma_migrations SET finished_at = clock_timestamp(), applied_steps_count = 1 WHERE id = $1',
    [id],
  );
}

/** PostgreSQL gives the place of an error as a character position in what was sent; people want a line. */
function describe(error: unknown, sql: string): string {
  if (!(error instanceof DatabaseError)) return error instanceof Error ? error.message : String(error);
  const line = error.position === undefined ? undefined : sql.slice(0, Number(error.position)).split('\n').length;
  return `${error.message} (${error.code ?? 'no code'}${line === undefined ? '' : `, line ${line}`})`;
}

async function main(): Promise<number> {
  const databaseUrl = process.env.DATABASE_URL;
  if (databaseUrl === undefined || databaseUrl.trim() === '') {
    throw new Refusal(
      'DATABASE_URL is not set. It says which database to migrate, as in postgresql://user:password@127.0.0.1:5432/unionlink',
    );
  }
  const { applied, before } = await migrate(databaseUrl, { say: print });
  if (applied.length === 0) print(`nothing to apply: ${before} migrations are in place`);
  else print(`${applied.length} applied, ${before + applied.length} in place`);
  return 0;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await runTool(main);
