import type { FollowerStore, Unit } from '../book.js';
import { FailedStatement } from './failed-statement.js';
import { SqlBook } from './sql-book.js';
import type { Query } from './sql-desk.js';
import { missingTables, tablesLock, tablesThere } from './tables.js';

/** What we need of a Prisma transaction client. */
export interface PrismaTransaction {
  $queryRawUnsafe<T = unknown>(sql: string, ...parameters: unknown[]): PromiseLike<T>;
  $executeRawUnsafe(sql: string, ...parameters: unknown[]): PromiseLike<number>;
}

/** What we need of a PrismaClient; no version of Prisma is imported. */
export interface PrismaLike<Tx extends PrismaTransaction> {
  $transaction<T>(work: (tx: Tx) => Promise<T>, options?: { maxWait?: number; timeout?: number }): Promise<T>;
}

/** Prisma ends a transaction after 5 s unless told otherwise; a merge of two big users may take your handlers longer. */
const limits = { maxWait: 10_000, timeout: 60_000 };

/** Your PostgreSQL database through Prisma: `new PrismaStore(prisma)`. Handlers get the transaction client. */
export class PrismaStore<Tx extends PrismaTransaction> implements FollowerStore<Tx> {
  constructor(private readonly prisma: PrismaLike<Tx>) {}

  async ensureTables(): Promise<void> {
    await this.transaction(async ({ tx }) => {
      await tx.$queryRawUnsafe(tablesLock);
      const there = await tx.$queryRawUnsafe<unknown[]>(tablesThere);
      for (const statement of missingTables(there)) await tx.$executeRawUnsafe(statement);
    });
  }

  book(tx: Tx): SqlBook {
    const query: Query = async <Row extends object>(sql: string, parameters: readonly unknown[]) =>
      tx.$queryRawUnsafe<Row[]>(sql, ...parameters);
    return new SqlBook(query);
  }

  transaction<T>(work: (unit: Unit<Tx>) => Promise<T>): Promise<T> {
    return this.prisma.$transaction(async (tx) => {
      const result = await work({ tx, book: this.book(tx) });
      // Prisma does not hand over how a COMMIT was answered; after a failed statement this fails as well.
      await tx.$queryRawUnsafe('SELECT 1 AS whole').then(undefined, (cause: unknown) => {
        throw new FailedStatement({ cause });
      });
      return result;
    }, limits);
  }
}
