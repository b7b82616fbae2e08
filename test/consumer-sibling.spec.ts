import { earn, patience, Scene, shows } from './consumer-scene.js';
import { emptyDatabase } from './harness/database.js';
import { http } from './harness/http.js';
import { services } from './harness/services.js';
import { until } from './harness/until.js';
import { shortOrWhole } from './harness/torture.js';

const onKafka = { KAFKA_BROKERS: services.kafkaBrokers };
const overHttp = { KAFKA_BROKERS: '' };

describe('The sample sibling app', () => {
  let scene: Scene;
  beforeAll(async () => {
    scene = await Scene.open();
  });
  afterAll(() => scene.close());

  it('keeps every sum right when it is killed in the middle of a burst of merges', async () => {
    const database = await emptyDatabase();
    const people = await scene.bornMany(80);
    let doomed = await scene.sibling(database, onKafka);
    const other = await scene.sibling(database, onKafka);
    await Promise.all(people.map((person, n) => earn(n % 2 === 0 ? doomed : other, person, n + 1)));
    let merges = 0;
    // Ten chains of eight people each, some of the folds undone again; points are earned all the while.
    const burst = async (lane: number): Promise<void> => {
      const chain = people.filter((_, n) => n % 10 === lane);
      for (const [n, person] of chain.entries()) {
        const following = chain[n + 1];
        if (following === undefined) return;
        const [from, into] = await Promise.all([scene.acme.user(person.id), scene.acme.user(following.id)]);
        const mergeId = await scene.merge(from.body.id, into.body.id);
        await earn(other, person, 1);
        if (n % 3 === 0) await scene.revert(mergeId);
        merges += 1;
      }
    };
    const bursting = Promise.all(Array.from({ length: 10 }, (_, lane) => burst(lane)));
    for (const share of shortOrWhole(0, 1) === 1 ? [15, 45] : [30]) {
      await until(() => merges >= share, patience);
      await doomed.kill();
      doomed = await scene.sibling(database, onKafka);
    }
    await bursting;
    await until(() => scene.isCaughtUp(database), { ...patience, what: 'everybody at the newest version' });
    const sums = await scene.sumsOf(people, (n) => n + 1 + (n < 70 ? 1 : 0));
    for (const sibling of [doomed, other])
      await until(() => shows(sibling, sums), { ...patience, what: `the sums of ${sums.size} users` });
    expect([...sums.values()].reduce((all, points) => all + points, 0)).toBe((80 * 81) / 2 + 70);
    for (const sibling of [doomed, other]) expect(await sibling.stop()).toMatchObject({ code: 0 });
    await database.drop();
  }, 240_000);

  it('ends the same over Kafka and over HTTP, with points earned before, between and after', async () => {
    const databases = [await emptyDatabase(), await emptyDatabase()] as const;
    const siblings = [await scene.sibling(databases[0], onKafka), await scene.sibling(databases[1], overHttp)] as const;
    const { people, unlinked } = await scene.muchHappens();
    const all = async (points: number): Promise<void> => {
      for (const sibling of siblings) await Promise.all(people.map((person) => earn(sibling, person, points)));
    };
    await all(10);
    const { user } = await scene.acme.resolved('a1', scene.fresh('o'));
    const owners = [...(await scene.sumsOf(people, () => 0)).keys()];
    const mergeId = await scene.merge(owners[0] ?? '', user.id);
    await all(1);
    await scene.revert(mergeId);
    await all(100);
    const sums = await scene.sumsOf(people, () => 111);
    for (const database of databases)
      await until(() => scene.isCaughtUp(database), { ...patience, what: 'everybody at the newest version' });
    for (const sibling of siblings) {
      await until(() => shows(sibling, sums), { ...patience, what: 'the sums' });
      await until(async () => (await http(sibling.url).get('/readyz')).status === 200, patience);
    }
    const seen = databases.map(async (database) => {
      const what = 'maps that agree with the API';
      await until(() => scene.agrees(database, [...people, unlinked]), { ...patience, what });
      const ids = people.map(({ id }) => id);
      const columns = 'user_id, version, status, folded_into, current_id';
      const users = `SELECT ${columns} FROM unionlink_user WHERE user_id = ANY ($1) ORDER BY user_id`;
      const points = await database.query('SELECT * FROM points ORDER BY user_id, app_id, open_id');
      return { points, users: await database.query(users, [ids]) };
    });
    const [byKafka, byHttp] = await Promise.all(seen);
    expect(byHttp).toEqual(byKafka);
    for (const sibling of siblings) expect(await sibling.stop()).toMatchObject({ code: 0 });
    for (const database of databases) await database.drop();
  }, 240_000);

  it('refuses points for nobody, and points that are none', async () => {
    const database = await emptyDatabase();
    const sibling = await scene.sibling(database, overHttp);
    const nobody = { appId: 'a1', openId: 'o-nobody-knows-me', points: 1 };
    expect((await http(sibling.url).post('/points', nobody)).status).toBe(404);
    expect((await http(sibling.url).post('/points', { ...nobody, points: 0 })).status).toBe(400);
    expect((await http(sibling.url).post('/points', { ...nobody, more: true })).status).toBe(400);
    expect(await sibling.stop()).toMatchObject({ code: 0 });
    await database.drop();
  });
});
