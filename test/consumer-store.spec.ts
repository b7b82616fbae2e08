import { Pool, type PoolClient } from 'pg';
import type { FollowerStore, Handlers, History } from '#consumer';
import { People, pgStore, prismaStore, randomHistory, replay } from '#consumer';
import { Database as IdentityDatabase } from '#store';
import { type Database, emptyDatabase } from './harness/database.js';
import { shortOrWhole } from './harness/torture.js';

/** What a handler needs of a transaction, whoever opened it: it writes down what it was told. */
type Tell<Tx> = (tx: Tx, line: string) => Promise<unknown>;

const tellPg: Tell<PoolClient> = (client, line) => client.query('INSERT INTO told VALUES ($1)', [line]);

const toldTable = 'CREATE TABLE told (line text NOT NULL)';
const tables = ['user', 'identity', 'holding', 'parked_user', 'parked_event', 'answer', 'cursor'];
const empty = `TRUNCATE told, ${tables.map((name) => `unionlink_${name}`).join(', ')} RESTART IDENTITY`;

function teller<Tx>(tell: Tell<Tx>): Handlers<Tx> {
  return {
    onMerged: async (from, _into, tx) => void (await tell(tx, `folded ${from}`)),
    onReverted: async (source, _target, _identities, tx) => void (await tell(tx, `unfolded ${source}`)),
  };
}

/** The store over PostgreSQL does in SQL what the one in memory does, for every way a history may arrive. */
describe('The tables of a follower', () => {
  let database: Database;
  let pool: Pool;
  let identity: IdentityDatabase;

  beforeAll(async () => {
    database = await emptyDatabase();
    pool = new Pool({ connectionString: database.url, max: 5 });
    identity = new IdentityDatabase({ url: database.url, poolMax: 5, applicationName: 'spec' });
    await pool.query(toldTable);
  });
  afterAll(async () => {
    await pool.end();
    await identity.close();
    await database.drop();
  });

  /** Who is who, asked of the store, and how often somebody was folded more than unfolded. */
  const lookAt = async <Tx>(history: History, store: FollowerStore<Tx>): Promise<object> => {
    const people = new People(store);
    const isPresent = (id: string): boolean => history.statusOf(history.current(id)) === 'live';
    const ids = [...history.ids('live'), ...history.ids('merged')].filter(isPresent);
    const found = await people.transaction(async (tx) => {
      const current: string[] = [];
      for (const id of ids) current.push(await people.current(id, tx));
      const owners: (string | null)[] = [];
      for (const id of ids) for (const one of history.identitiesOf(id)) owners.push(await people.of(one, tx));
      return { current, owners };
    });
    expect(found.current).toEqual(ids.map((id) => history.current(id)));
    expect(found.owners).toEqual(ids.flatMap((id) => history.identitiesOf(id).map(() => id)));
    const told = await database.query('SELECT line FROM told');
    const count = (line: string): number => told.filter((row) => row['line'] === line).length;
    return { ...found, folds: ids.map((id) => count(`folded ${id}`) - count(`unfolded ${id}`)) };
  };

  const holds = async <Tx>(history: History, store: FollowerStore<Tx>, tell: Tell<Tx>): Promise<number> => {
    await store.ensureTables();
    const handlers = teller(tell);
    const makeConsumer = async () => {
      await pool.query(empty);
      return { store, handlers, endState: () => lookAt(history, store) };
    };
    return replay(history.events, makeConsumer, { shuffles: 4 });
  };

  it('hold in SQL over pg, whatever the order', async () => {
    let ways = 0;
    for (let seed = 1; seed <= shortOrWhole(1, 3); seed += 1) {
      ways += await holds(randomHistory({ seed, steps: 20 }), pgStore<PoolClient>(pool), tellPg);
    }
    expect(ways).toBe(12 * shortOrWhole(1, 3));
  }, 120_000);

  it('hold in SQL over Prisma, whatever the order', async () => {
    const store = prismaStore(identity.prisma);
    const ways = await holds(randomHistory({ seed: 7, steps: 20 }), store, (tx, line) =>
      tx.$executeRawUnsafe('INSERT INTO told VALUES ($1)', line),
    );
    expect(ways).toBe(12);
  }, 120_000);

  it('take no transaction for done in which a handler kept a failed statement to itself', async () => {
    const problem = 'a statement in this transaction had failed';
    const byPg = swallow(pgStore<PoolClient>(pool), (tx, line) => tx.query('INSERT INTO told VALUES ($1)', [line]));
    await expect(byPg).rejects.toThrow(problem);
    const byPrisma = swallow(prismaStore(identity.prisma), async (tx, line) =>
      tx.$executeRawUnsafe('INSERT INTO told VALUES ($1)', line),
    );
    await expect(byPrisma).rejects.toThrow(problem);
  });
});

/** PostgreSQL answers the COMMIT of a transaction in which a statement failed with a rollback, and no error. */
function swallow<Tx>(store: FollowerStore<Tx>, tell: (tx: Tx, line: string | null) => Promise<unknown>): Promise<void> {
  return store.transaction(async ({ tx }) => {
    await tell(tx, 'an effect');
    await tell(tx, null).catch(() => undefined);
  });
}
