import { Injectable } from '@nestjs/common';
import type { Transaction, Wanted } from '#store';
import { applyChanges, Database, lockAndLoad } from '#store';
import { v7 } from 'uuid';
import { Turns } from './turns.js';
import { World } from './world.js';

const nothing: Wanted = { identities: [], unionKeys: [], userIds: [], fingerprints: [] };

/** Runs a decision over the locked truth and writes what it changed, in one transaction. */
@Injectable()
export class Changes {
  private readonly turns: Turns;

  constructor(private readonly database: Database) {
    this.turns = new Turns(Math.max(1, Math.floor(database.poolMax / 2)));
  }

  /**
   * `decide` touches nothing but the World, and the transaction for what the World does not hold: a lost race runs it
   * again from the start. Throwing writes nothing.
   */
  run<T>(wanted: Partial<Wanted>, decide: (world: World, transaction: Transaction) => T | Promise<T>): Promise<T> {
    return this.inTurn(wanted, async (transaction) => {
      const world = new World(await lockAndLoad(transaction, { ...nothing, ...wanted }), () => v7());
      const result = await decide(world, transaction);
      await applyChanges(transaction, world.changes());
      return result;
    });
  }

  /** The same without writing: what would happen. The World is thrown away. */
  rehearse<T>(wanted: Partial<Wanted>, decide: (world: World) => T): Promise<T> {
    return this.inTurn(wanted, async (transaction) =>
      decide(new World(await lockAndLoad(transaction, { ...nothing, ...wanted }), () => v7())),
    );
  }

  private inTurn<T>(wanted: Partial<Wanted>, work: (transaction: Transaction) => Promise<T>): Promise<T> {
    return this.turns.take([...new Set(wanted.userIds)], () => this.database.transaction(work));
  }
}
