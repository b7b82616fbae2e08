import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { Pool, type PoolClient } from 'pg';
import { type Change, IdentityFollower, kafka, pgStore } from '#consumer';
import { topicName, topics } from '#events';
import { brokers, patience, Scene, send } from './consumer-scene.js';
import { ok } from './harness/acme.js';
import { type Database, emptyDatabase } from './harness/database.js';
import { readTopic } from './harness/kafka.js';
import { until } from './harness/until.js';

interface Effect {
  readonly user_id: string;
  readonly version: number;
  readonly by_whom: string;
}

/** Neighbours of scenario 33: what a consumer group does to its members, and what else may be in a topic. */
describe('Services that follow the events', () => {
  let scene: Scene;
  let database: Database;
  let pool: Pool;
  const followers: IdentityFollower<PoolClient>[] = [];

  beforeAll(async () => {
    scene = await Scene.open();
  });
  afterAll(() => scene.close());
  beforeEach(async () => {
    database = await emptyDatabase();
    await database.query('CREATE TABLE done (n bigserial, user_id text, version int, by_whom text)');
    pool = new Pool({ connectionString: database.url, max: 10 });
    pool.on('error', () => undefined);
  });
  afterEach(async () => {
    await Promise.all(followers.splice(0).map((follower) => follower.stop()));
    await pool.end();
    await database.drop();
  });

  const follow = async (groupId: string, who: string, takesMs = 0): Promise<IdentityFollower<PoolClient>> => {
    const onUser = async ({ userId, version }: Change, transaction: PoolClient): Promise<void> => {
      if (userId === 'thrower') throw new Error('with\u0000nothing');
      await transaction.query('INSERT INTO done (user_id, version, by_whom) VALUES ($1, $2, $3)', [
        userId,
        version,
        who,
      ]);
      await delay(takesMs);
    };
    const source = kafka({ brokers, groupId, topicPrefix: scene.prefix });
    const store = pgStore<PoolClient>(pool);
    const follower = new IdentityFollower({
      source,
      store,
      handlers: { onUser },
      retry: { firstMs: 200, maxMs: 1_000 },
    });
    followers.push(follower);
    await follower.start();
    return follower;
  };

  const link = async (userId: string): Promise<void> => {
    const identity = { appId: 'a1', openId: scene.fresh('o') };
    ok(await scene.acme.operator.post('/v1/identities', { ...identity, userId, reason: 'spec' }));
  };

  const done = (): Promise<Effect[]> => database.query('SELECT user_id, version, by_whom FROM done ORDER BY n');

  it('share one group: each event has its effect once and in order, though they come and go in the middle of a batch', async () => {
    const people = await scene.bornMany(8);
    const own = new Set(people.map(({ id }) => id));
    const wanted = async (): Promise<Effect[]> => (await done()).filter(({ user_id: id }) => own.has(id));
    const first = await follow('shared', 'first', 20);
    let last = 1;
    const change = async (): Promise<void> => {
      for (const { id } of people) await link(id);
      last += 1;
    };
    for (let n = 0; n < 10; n += 1) await change();
    const second = await follow('shared', 'second', 20);
    const hasJoined = async (): Promise<boolean> => (await wanted()).some(({ by_whom: who }) => who === 'second');
    for (let n = 0; n < 300 && !(await hasJoined()); n += 1) await change();
    expect(await hasJoined()).toBe(true);
    await Promise.all([first.stop(), change()]);
    await change();
    const isThrough = async (): Promise<boolean> =>
      (await wanted()).filter(({ version }) => version === last).length === people.length;
    await until(isThrough, patience);
    expect(await second.health()).toMatchObject({ isLive: true, parkedUsers: 0 });
    const effects = await wanted();
    for (const { id } of people) {
      const versions = effects.filter(({ user_id: userId }) => userId === id).map(({ version }) => version);
      // Whoever boots from the states topic begins with a later version; from there on each one comes.
      expect(versions).toEqual(Array.from({ length: versions.length }, (_, n) => last - versions.length + 1 + n));
    }
  }, 180_000);

  it('come past records that nobody can read, whatever their keys are, and hold up nobody else', async () => {
    const [before, after] = await Promise.all([scene.born(), scene.born()]);
    const events = topicName(scene.prefix, topics.userEvents);
    const good = await until(async () => (await readTopic(events)).find(({ key }) => key === before.id), patience);
    const follower = await follow('poisoned', 'one');
    await until(async () => (await done()).some(({ user_id: id }) => id === after.id), patience);
    const { key: _key, headers, value } = good;
    const { user }: { user: object } = JSON.parse(value ?? '');
    const withUser = (more: object): string =>
      JSON.stringify({ ...JSON.parse(value ?? ''), user: { ...user, ...more } });
    const nested = (value ?? '').replace(/}$/, `,"deep":${'['.repeat(50_000)}${']'.repeat(50_000)}}`);
    await send(events, [
      { key: null, value: 'no JSON', headers },
      { key: 'no id', value: 'no JSON', headers },
      { key: 'with\u0000nothing', value: '{}', headers: {} },
      { key: Buffer.from([0xff, 0xfe, 0x00]), value: Buffer.from([0xff, 0x00]), headers: { ce_id: '\u0000' } },
      { key: randomBytes(10_000).toString('base64'), value: '[]', headers: { ...headers, ce_sequence: 'seven' } },
      { key: 'nothing-in-its-id', value: withUser({ id: 'with\u0000nothing' }), headers },
      { key: 'long-id', value: withUser({ id: randomBytes(10_000).toString('base64') }), headers },
      { key: 'unknown-status', value: withUser({ id: 'unknown-status', status: 'asleep' }), headers },
      { key: 'no-list', value: withUser({ id: 'no-list', identities: 'none' }), headers },
      { key: 'no-version', value: withUser({ id: 'no-version', version: '2' }), headers },
      { key: 'open-id', value: withUser({ id: 'open-id', identities: [{ appId: 'a1', openId: '\u0000' }] }), headers },
      { key: 'thrower', value: withUser({ id: 'thrower' }), headers },
      { key: before.id, value: nested, headers },
      { key: before.id, value: null, headers },
      { key: before.id, value, headers: { ...headers, ce_type: 'identity.NotYetKnown.v9' } },
    ]);
    await link(after.id);
    await link(before.id);
    const isLinked = ({ user_id: id, version }: Effect): boolean => version === 2 && [before.id, after.id].includes(id);
    await until(async () => (await done()).filter(isLinked).length === 2, patience);
    const isThrough = async (): Promise<boolean> => {
      const { isReady, parkedUsers } = await follower.health();
      return isReady && parkedUsers === 12;
    };
    await until(isThrough, { ...patience, what: 'each of the twelve put aside' });
    expect(await follower.health()).toMatchObject({ isLive: true });
  }, 180_000);
});
