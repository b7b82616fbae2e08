import { Injectable } from '@nestjs/common';
import type { Transaction, Wanted } from '#store';
import { applyChanges, Database, lockAndLoad } from '#store';
import { v7 } from 'uuid';
import { World } from './world.js';

/** Runs a decision over the locked truth and writes what it changed, in one transaction. */
@Injectable()
export class Changes {
  constructor(private readonly database: Database) {}

  /**
   * `decide` must be pure: a lost race runs it again on a new World. `within` writes rows of its own into the same
   * transaction, after the decision. Throwing writes nothing.
   */
  run<T>(
    wanted: Wanted,
    decide: (world: World) => T,
    within?: (transaction: Transaction, result: T) => Promise<void>,
  ): Promise<T> {
    return this.database.transaction(async (transaction) => {
      const world = new World(await lockAndLoad(transaction, wanted), () => v7());
      const result = decide(world);
      await applyChanges(transaction, world.changes());
      await within?.(transaction, result);
      return result;
    });
  }
}
