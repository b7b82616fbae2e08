import { Injectable } from '@nestjs/common';
import type { Transaction, Wanted } from '#store';
import { applyChanges, Database, lockAndLoad } from '#store';
import { v7 } from 'uuid';
import { Effects } from './effects.js';
import { Tally } from './tally.js';
import { Turns } from './turns.js';
import { World } from './world.js';

const nothing: Wanted = { identities: [], unionKeys: [], userIds: [], fingerprints: [] };

/** Runs a decision over the locked truth and writes what it changed, in one transaction. */
@Injectable()
export class Changes {
  private readonly turns: Turns;

  constructor(
    private readonly database: Database,
    private readonly effects: Effects,
    private readonly tally: Tally,
  ) {
    this.turns = new Turns(Math.max(1, Math.floor(database.poolMax / 2)));
  }

  /**
   * `decide` touches nothing but the World, and the transaction for what the World does not hold: a lost race runs it
   * again from the start. Throwing writes nothing. The result must survive JSON: a request with an Idempotency-Key keeps it.
   */
  async run<T>(
    wanted: Partial<Wanted>,
    decide: (world: World, transaction: Transaction) => T | Promise<T>,
  ): Promise<T> {
    let stepped: readonly string[] = [];
    const work = async (transaction: Transaction): Promise<T> => {
      const world = new World(await lockAndLoad(transaction, { ...nothing, ...wanted }), () => v7());
      const result = await decide(world, transaction);
      await applyChanges(transaction, world.changes());
      stepped = world.stepped;
      return result;
    };
    const result = await this.inTurn(wanted, () => this.effects.run(work));
    for (const type of stepped) this.tally.stepped(type);
    return result;
  }

  /** The same without writing: what would happen. The World is thrown away. */
  rehearse<T>(wanted: Partial<Wanted>, decide: (world: World) => T): Promise<T> {
    const look = async (transaction: Transaction): Promise<T> =>
      decide(new World(await lockAndLoad(transaction, { ...nothing, ...wanted }), () => v7()));
    return this.inTurn(wanted, () => this.database.transaction(look));
  }

  private inTurn<T>(wanted: Partial<Wanted>, work: () => Promise<T>): Promise<T> {
    return this.turns.take([...new Set(wanted.userIds)], work);
  }
}
