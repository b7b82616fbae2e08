import { PrismaPg } from '@prisma/adapter-pg';
import pg from 'pg';
import { DatabaseUnavailable, isContention, isUnavailable } from './database-faults.js';
import { PrismaClient } from './generated/client.js';
import { hearJournal, JournalBell } from './journal-bell.js';

const attemptsMax = 12;
/** A lock that nobody lets go of costs half a statement's time each try: who waits for an answer is told sooner. */
const contendMs = 20_000;

export interface DatabaseOptions {
  readonly url: string;
  readonly poolMax: number;
  readonly applicationName: string;
  /** Milliseconds a statement may run; a lock is waited for at most half as long. */
  readonly statementTimeoutMs?: number;
  /** Told of every statement; what it answers is called when that has ended. */
  readonly watch?: Watch | undefined;
}

/** `statement`: its name, or its first word. Null: not looked at. */
export type Watch = (statement: string) => ((hasFailed: boolean) => void) | null;

/** A transaction in progress: one connection, statements in order. */
export interface Transaction {
  query<Row extends pg.QueryResultRow>(statement: Statement): Promise<Row[]>;
  /** The journal grows with this transaction: once it is committed, whoever follows is told. */
  growsJournal(): void;
}

/** A statement with a name is prepared once per connection. */
export interface Statement {
  readonly name?: string;
  readonly text: string;
  readonly values?: readonly unknown[];
}

const int8Oid = 20;
const parseInt8 = (text: string): number => Number(text);
/** Versions and ids stay far below 2^53, so a bigint column reads as a number. */
const types = {
  getTypeParser: (oid: number, format?: 'text' | 'binary') =>
    oid === int8Oid ? parseInt8 : pg.types.getTypeParser(oid, format ?? 'text'),
};

/**
 * One pool for both ways in: Prisma for ordinary reads and writes, plain SQL for the sets of the hot path (Prisma costs
 * 125–139 µs of CPU a call, pg 37–43 µs, and only pg prepares a raw statement).
 */
export class Database {
  readonly prisma: PrismaClient;
  readonly poolMax: number;
  private readonly pool: pg.Pool;
  private readonly watch: Watch | undefined;
  private readonly bell: JournalBell;

  constructor(private readonly options: DatabaseOptions) {
    this.poolMax = options.poolMax;
    const statementTimeoutMs = options.statementTimeoutMs ?? 15_000;
    this.pool = new pg.Pool({
      connectionString: options.url,
      max: options.poolMax,
      application_name: options.applicationName,
      connectionTimeoutMillis: 5_000,
      idleTimeoutMillis: 60_000,
      keepAlive: true,
      statement_timeout: statementTimeoutMs,
      lock_timeout: statementTimeoutMs / 2,
      idle_in_transaction_session_timeout: statementTimeoutMs,
      types,
    });
    // An idle connection that breaks is replaced on the next use; without a listener it would end the process.
    this.pool.on('error', () => undefined);
    // One that breaks while it is lent tells its query, and then tells itself: unheard, that would end the process, too.
    this.pool.on('connect', (client) => client.on('error', () => undefined));
    // Before anybody watches: it is nobody's request.
    this.bell = new JournalBell(this.pool.query.bind(this.pool));
    this.watch = options.watch;
    if (options.watch !== undefined) watchPool(this.pool, options.watch);
    this.prisma = new PrismaClient({ adapter: new PrismaPg(this.pool) });
  }

  async query<Row extends pg.QueryResultRow>(statement: Statement): Promise<Row[]> {
    try {
      const result = await this.pool.query<Row>({ ...statement, values: [...(statement.values ?? [])] });
      return result.rows;
    } catch (error) {
      throw this.asUnavailable(error);
    }
  }

  /**
   * Runs `work` in one READ COMMITTED transaction and commits. Lost races (40001, deadlock, unique violation, lock
   * time-out) run it again from the start, so it must not touch anything but the database.
   */
  async transaction<T>(work: (transaction: Transaction) => Promise<T>): Promise<T> {
    const until = performance.now() + contendMs;
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.attempt(work);
      } catch (error) {
        const isLast = attempt >= attemptsMax || performance.now() > until;
        if (!isContention(error) || isLast) throw this.asUnavailable(error);
        await new Promise((resolve) => setTimeout(resolve, Math.random() * Math.min(200, 2 ** attempt)));
      }
    }
  }

  /** Prisma compiles itself when it is first asked, which takes 0.3 s: not in somebody's request. */
  async loadPrisma(): Promise<void> {
    await this.prisma.duty.findFirst({ select: { name: true } });
  }

  /** Calls `onRing` when the journal may have grown, until `signal` fires. A hint, which may be missed. */
  hearJournal(heard: { readonly onRing: () => void; readonly signal: AbortSignal }): Promise<void> {
    const { url, applicationName } = this.options;
    return hearJournal({ connectionString: url, application_name: applicationName, keepAlive: true }, heard);
  }

  async close(): Promise<void> {
    await this.prisma.$disconnect();
    if (!this.pool.ended) await this.pool.end();
  }

  private async attempt<T>(work: (transaction: Transaction) => Promise<T>): Promise<T> {
    const client = await this.pool.connect();
    let broken: Error | undefined;
    let hasGrown = false;
    try {
      await client.query('BEGIN');
      const result = await work({
        query: async <Row extends pg.QueryResultRow>(statement: Statement): Promise<Row[]> => {
          const ask = () => client.query<Row>({ ...statement, values: [...(statement.values ?? [])] });
          const answer = await (this.watch === undefined ? ask() : watched(this.watch, statement, ask));
          return answer.rows;
        },
        growsJournal: () => {
          hasGrown = true;
        },
      });
      await client.query('COMMIT');
      if (hasGrown) this.bell.ring();
      return result;
    } catch (error) {
      await client.query('ROLLBACK').catch((failure: unknown) => {
        broken = failure instanceof Error ? failure : new Error(String(failure));
      });
      throw error;
    } finally {
      client.release(broken);
    }
  }

  private asUnavailable(error: unknown): unknown {
    if (!isUnavailable(error) || error instanceof DatabaseUnavailable) return error;
    return new DatabaseUnavailable('the database cannot be asked just now', { cause: error });
  }
}

/** Prisma's statements too: both ways in ask the pool, and in the place of whoever waits for the answer. */
function watchPool(pool: pg.Pool, watch: Watch): void {
  const ask = pool.query.bind(pool) as (statement: unknown, ...rest: unknown[]) => Promise<unknown>;
  const watching = (statement: unknown, ...rest: unknown[]): Promise<unknown> =>
    watched(watch, statement, () => ask(statement, ...rest));
  pool.query = watching as typeof pool.query;
}

async function watched<T>(watch: Watch, statement: unknown, ask: () => Promise<T>): Promise<T> {
  const { name, text } = typeof statement === 'object' && statement !== null ? (statement as Partial<Statement>) : {};
  const end = watch(name ?? /\w+/.exec(text ?? '')?.[0]?.toUpperCase() ?? 'statement');
  if (end === null) return ask();
  try {
    const answer = await ask();
    end(false);
    return answer;
  } catch (error) {
    end(true);
    throw error;
  }
}
