import type { Client } from 'pg';
import type { Portion, SnapshotCursor } from '../libs/store/src/index.js';
import { Database, decodeCursor, encodeCursor, journalStart, readFeed, readPortion } from '../libs/store/src/index.js';
import { type Database as TestDatabase, freshDatabase } from './harness/database.js';
import { randomOf } from './harness/random.js';
import { connect, createUsers, lock, step } from './relay-people.js';

/** What a reader was given, in the order it was given. */
interface Told {
  readonly id: number;
  readonly userId: string;
  readonly version: number;
}

interface Reader {
  readonly told: Told[];
  /** One look; true while there is more at once. */
  look(): Promise<boolean>;
}

/** Lets writers stand still until the readers have looked a few times more. */
class Rounds {
  private round = 0;
  private waiting: { at: number; wake: () => void }[] = [];

  pass(): void {
    this.round += 1;
    for (const { wake } of this.waiting.filter(({ at }) => at <= this.round)) wake();
    this.waiting = this.waiting.filter(({ at }) => at > this.round);
  }

  wait(rounds: number): Promise<void> {
    if (rounds === 0) return Promise.resolve();
    return new Promise((wake) => this.waiting.push({ at: this.round + rounds, wake }));
  }
}

const toldOf = (portion: Portion): Told[] =>
  portion.rows.map(({ id, userId, version }) => ({ id, userId: userId ?? '', version: version ?? 0 }));

/** `spoil` makes a wrong reader of it. */
function cursorReader(
  database: Database,
  random: () => number,
  spoil: (cursor: SnapshotCursor) => SnapshotCursor = (cursor) => cursor,
): Reader {
  const told: Told[] = [];
  let place = encodeCursor(journalStart);
  return {
    told,
    look: async () => {
      const cursor = decodeCursor(place) ?? journalStart;
      const limit = 1 + Math.floor(random() * 40);
      const window = random() % 1 < 0.5 ? undefined : 1 + Math.floor(random() * 20);
      const portion = await readPortion(database, { cursor, filter: null, limit, window });
      told.push(...toldOf(portion));
      place = encodeCursor(spoil(portion.next));
      // A portion of several looks ends at what was there when it began.
      return !portion.isEnd || cursor.upto !== null;
    },
  };
}

/** So that more lies in front of it, and is wanted at once, than the short way looks at. */
function seldomReader(database: Database, random: () => number): Reader {
  const reader = cursorReader(database, () => 25 * random());
  return { told: reader.told, look: () => (random() < 0.95 ? Promise.resolve(true) : reader.look()) };
}

/** As the relay reads: groups of shards at different places, which meet at what the first one saw. */
function groupReader(database: Database, random: () => number): Reader {
  const told: Told[] = [];
  const places = Array.from({ length: 16 }, () => encodeCursor(journalStart));
  return {
    told,
    look: async () => {
      let isMore = false;
      let upto;
      for (const place of new Set(places)) {
        if (random() < 0.2) {
          isMore = true;
          continue;
        }
        let shards = places.flatMap((other, shard) => (other === place ? [shard] : []));
        if (random() < 0.1) shards = shards.filter(() => random() < 0.5);
        isMore ||= shards.length === 0;
        if (shards.length === 0) continue;
        const cursor = decodeCursor(place) ?? journalStart;
        const limit = 1 + Math.floor(random() * 40);
        const portion: Portion = await readPortion(database, { cursor, filter: { shards }, limit, upto });
        upto ??= portion.upto;
        told.push(...toldOf(portion));
        for (const shard of shards) places[shard] = encodeCursor(portion.next);
        isMore ||= !portion.isEnd;
      }
      return isMore || new Set(places).size > 1;
    },
  };
}

function sqlReader(database: Database, text: string, valuesOf: (told: readonly Told[]) => unknown[]): Reader {
  const told: Told[] = [];
  return {
    told,
    look: async () => {
      const values = valuesOf(told);
      const rows = await database.query<{ id: number; user_id: string; version: number }>({ text, values });
      told.push(...rows.map((row) => ({ id: row.id, userId: row.user_id, version: row.version })));
      return rows.length > 0;
    },
  };
}

/** The outbox pattern as it is mostly written. */
const naiveReader = (database: Database): Reader =>
  sqlReader(database, 'SELECT id, user_id, version FROM journal WHERE id > $1 ORDER BY id LIMIT 40', (told) => [
    told.at(-1)?.id ?? 0,
  ]);

/** By transaction number, and only what nothing older can still join. */
function xidReader(database: Database): Reader {
  const told: Told[] = [];
  let after = { xid: '0', id: 0 };
  return {
    told,
    look: async () => {
      const rows = await database.query<{ xid: string; id: number; user_id: string; version: number }>({
        text: `SELECT xid::text, id, user_id, version FROM journal
          WHERE (xid, id) > ($1::text::xid8, $2::bigint) AND xid < pg_snapshot_xmin(pg_current_snapshot())
          ORDER BY xid, id LIMIT 40`,
        values: [after.xid, after.id],
      });
      told.push(...rows.map((row) => ({ id: row.id, userId: row.user_id, version: row.version })));
      after = rows.at(-1) ?? after;
      return rows.length > 0;
    },
  };
}

/** Transactions of one to three users that pause anywhere, take their number early, and roll back every seventh time. */
async function write(
  client: Client,
  users: readonly string[],
  { random, rounds, transactions }: { random: () => number; rounds: Rounds; transactions: number },
): Promise<void> {
  const pause = (): Promise<void> => rounds.wait(random() < 0.4 ? Math.ceil(random() * 4) : 0);
  for (let done = 0; done < transactions; done += 1) {
    await client.query('BEGIN');
    if (random() < 0.4) await client.query('SELECT pg_current_xact_id()');
    await pause();
    const chosen = new Set(
      Array.from({ length: 1 + Math.floor(random() * 3) }, () => users[Math.floor(random() * users.length)]),
    );
    const held: [string, number][] = [];
    const inOrder = [...chosen].flatMap((userId) => userId ?? []).toSorted();
    for (const userId of inOrder) held.push([userId, await lock(client, userId)]);
    await pause();
    for (const [userId, version] of held) await step(client, userId, version);
    await pause();
    await client.query(random() < 0.15 ? 'ROLLBACK' : 'COMMIT');
  }
}

function judge(
  told: readonly Told[],
  committed: readonly Told[],
): { gaps: number; repeats: number; inversions: number } {
  const ids = new Set(told.map(({ id }) => id));
  const versions = new Map<string, number>();
  let inversions = 0;
  for (const { userId, version } of told) {
    if (version <= (versions.get(userId) ?? 0)) inversions += 1;
    versions.set(userId, Math.max(version, versions.get(userId) ?? 0));
  }
  return { gaps: committed.filter(({ id }) => !ids.has(id)).length, repeats: told.length - ids.size, inversions };
}

const right = { gaps: 0, repeats: 0, inversions: 0 };

describe('A reader of the journal, beside writers that pause, overtake each other and roll back,', () => {
  let fresh: TestDatabase;
  let database: Database;
  const clients: Client[] = [];
  const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 1e9));
  const readers: Record<string, Reader> = {};
  let committed: Told[] = [];

  beforeAll(async () => {
    fresh = await freshDatabase();
    database = new Database({ url: fresh.url, poolMax: 4, applicationName: 'spec' });
    const random = randomOf(seed);
    const rounds = new Rounds();
    for (let writer = 0; writer < 10; writer += 1) clients.push(await connect(fresh.url));
    const [first] = clients;
    if (first === undefined) throw new Error('no writer');
    const users = await createUsers(first, 12);
    Object.assign(readers, {
      one: cursorReader(database, random),
      groups: groupReader(database, random),
      late: seldomReader(database, random),
      naive: naiveReader(database),
      forgetful: cursorReader(database, random, (cursor) => ({
        ...cursor,
        seen: cursor.seen === null ? null : { ...cursor.seen, running: [] },
      })),
      xid: xidReader(database),
    });
    const writers = { areWriting: true };
    const transactions = Number(process.env.TRANSACTIONS ?? 60);
    const writing = Promise.all(
      clients.map((client) => write(client, users, { random, rounds, transactions })),
    ).finally(() => {
      writers.areWriting = false;
    });
    // What was committed behind a reader's back while it looked is there for one more look.
    for (let isMore = true; isMore;) {
      isMore = writers.areWriting;
      for (const reader of Object.values(readers)) isMore = (await reader.look()) || isMore;
      rounds.pass();
    }
    await writing;
    committed = (
      await database.query<{ id: number; user_id: string; version: number }>({
        text: 'SELECT id, user_id, version FROM journal',
      })
    ).map((row) => ({ id: row.id, userId: row.user_id, version: row.version }));
  }, 120_000);

  afterAll(async () => {
    for (const client of clients) await client.end();
    await database.close();
    await fresh.drop();
  });

  const judged = (name: string): ReturnType<typeof judge> => judge(readers[name]?.told ?? [], committed);

  it('is told everything, once, and every user in version order', () => {
    expect({ seed, ...judged('one') }).toEqual({ seed, ...right });
    expect(committed.length).toBeGreaterThan(200);
  });

  it('also when it reads shards that stand at different places', () => {
    expect({ seed, ...judged('groups') }).toEqual({ seed, ...right });
  });

  it('also when it looks so seldom that much has been written since', () => {
    expect({ seed, ...judged('late') }).toEqual({ seed, ...right });
  });

  it('would miss late commits if its place were the last id', () => {
    expect(judged('naive').gaps).toBeGreaterThan(0);
  });

  it('would miss them if it forgot which transactions were running', () => {
    expect(judged('forgetful').gaps).toBeGreaterThan(0);
  });

  it('would see a user go backwards if it read by transaction number', () => {
    expect(judged('xid').inversions).toBeGreaterThan(0);
  });

  it('does not go back where another group is still inside an older portion', async () => {
    const [client] = clients;
    if (client === undefined) throw new Error('no writer');
    const { upto: older } = await readPortion(database, { cursor: journalStart, filter: null, limit: 1 });
    await createUsers(client, 1);
    let place = journalStart;
    for (let isEnd = false; !isEnd;) {
      const portion = await readPortion(database, { cursor: place, filter: null, limit: 1_000 });
      ({ isEnd } = portion);
      place = portion.next;
    }
    const bounded = await readPortion(database, { cursor: place, filter: null, limit: 10, upto: older });
    const after = await readPortion(database, { cursor: bounded.next, filter: null, limit: 10 });
    expect([...bounded.rows, ...after.rows]).toEqual([]);
  });

  it('comes to the end of an old portion in steps, and tells nothing of what was written since', async () => {
    const [client] = clients;
    if (client === undefined) throw new Error('no writer');
    const ids = async (): Promise<number[]> =>
      (await database.query<{ id: number }>({ text: 'SELECT id FROM journal ORDER BY id' })).map(({ id }) => id);
    const before = await ids();
    let portion = await readPortion(database, { cursor: journalStart, filter: null, limit: 1 });
    await createUsers(client, 50);
    const told = toldOf(portion);
    let steps = 0;
    for (; !portion.isEnd; steps += 1) {
      portion = await readPortion(database, { cursor: portion.next, filter: null, limit: 1_000, reach: 7 });
      told.push(...toldOf(portion));
    }
    expect(told.map(({ id }) => id)).toEqual(before);
    expect(steps).toBeGreaterThan(before.length / 7);
    const since = await readPortion(database, { cursor: portion.next, filter: null, limit: 1_000 });
    expect(since.rows).toHaveLength(50);
  });

  it('gets the same through the feed, page by page, narrowed or not', async () => {
    const read = async (types: string[] | undefined): Promise<Told[]> => {
      const told: Told[] = [];
      let after: string | null = null;
      for (;;) {
        const page = await readFeed(database, { entityId: 'acme', after, types, limit: 37, retentionDays: 30 });
        if (page === null) throw new Error('the feed does not know its own cursor');
        for (const { row } of page.items)
          told.push({ id: row.id, userId: row.userId ?? '', version: row.version ?? 0 });
        if (page.isEnd) return told;
        // Any item's own cursor is as good as the page's.
        after = page.items.length % 2 === 0 ? page.nextCursor : (page.items.at(-1)?.cursor ?? page.nextCursor);
      }
    };
    expect(judge(await read(undefined), committed)).toEqual(right);
    expect(judge(await read(['identity.UserLinked.v1']), committed)).toEqual(right);
    expect(await read(['identity.UserErased.v1'])).toEqual([]);
    const ofNobody = { entityId: 'nobody', after: null, limit: 10, retentionDays: 30 };
    expect((await readFeed(database, ofNobody))?.items).toEqual([]);
    expect(await readFeed(database, { ...ofNobody, after: 'garbage' })).toBeNull();
  });
});
