import { setTimeout as delay } from 'node:timers/promises';
import { topicName, topics } from '#events';
import { patience, type Person, Scene } from './consumer-scene.js';
import { Place } from './follower/place.js';
import { ok } from './harness/acme.js';
import { http } from './harness/http.js';
import { collectRecords, type KafkaRecord } from './harness/kafka.js';
import { startKafkaProxy } from './harness/kafka-proxy.js';
import type { App } from './harness/processes.js';
import { services } from './harness/services.js';
import { counted, shortOrWhole } from './harness/torture.js';
import { until } from './harness/until.js';

const says = (app: App, what: string): boolean => app.logs().some(({ message }) => String(message).includes(what));

/** Guard and effect are one transaction, whatever the process or what is around it goes through. */
describe('A process that follows the events', () => {
  let scene: Scene;
  const places: Place[] = [];

  beforeAll(async () => {
    scene = await Scene.open();
  });
  afterAll(() => scene.close());
  afterEach(() => Promise.all(places.splice(0).map((place) => place.close())));

  const open = async (): Promise<Place> => {
    const place = await Place.open(scene);
    places.push(place);
    return place;
  };

  const link = async ({ id }: Person): Promise<Person> => {
    const identity = { appId: 'a1', openId: scene.fresh('o') };
    ok(await scene.acme.operator.post('/v1/identities', { ...identity, userId: id, reason: 'spec' }));
    return { id, ...identity };
  };

  const unlink = async ({ appId, openId }: Person): Promise<void> => {
    ok(await scene.acme.operator.delete(`/v1/identities/${appId}/${openId}?reason=spec`));
  };

  const untilPublished = (person: Person, version: number): Promise<unknown> => {
    const isIt = ({ key, headers }: KafkaRecord): boolean =>
      key === person.id && Number(headers['ce_sequence']) === version;
    const events = topicName(scene.prefix, topics.userEvents);
    return collectRecords(events, (records) => records.some(isIt), { timeoutMs: 60_000 });
  };

  const parked = async (place: Place, person: Person): Promise<void> => {
    await place.breakFor(person);
    await place.openGate();
    await link(person);
    await place.untilParked(1);
    await place.shutGate();
    await place.mend();
  };

  /** Answers the versions that had an effect. */
  const dies = async (
    change: (place: Place, person: Person, other: Person) => Promise<unknown>,
  ): Promise<readonly number[]> => {
    const [place, person, other] = [await open(), await scene.born(), await scene.born()];
    const doomed = await place.follow('doomed');
    await place.untilAllAt([person, other], 1);
    await place.shutGate();
    await change(place, person, other);
    await place.untilAtGate();
    await doomed.kill();
    await place.openGate();
    await place.untilGone();
    expect(await place.versions(person)).toEqual([1]);
    const again = await place.follow('again');
    await place.untilAllAt([person], 2);
    await place.untilParked(0);
    const last = await link(person);
    await place.untilAllAt([person], 3);
    await until(() => scene.agrees(place.database, [person, other, last]), patience);
    expect(await place.repeated()).toEqual([]);
    expect(await again.stop()).toMatchObject({ code: 0 });
    return place.versions(person);
  };

  it('has each effect once though it dies between effect and commit: of a step, of a merge, of a step that waited', async () => {
    const versions = await Promise.all([
      dies((_place, person) => link(person)),
      dies((_place, person, other) => scene.merge(other.id, person.id)),
      dies(parked),
    ]);
    expect(versions).toEqual(versions.map(() => [1, 2, 3]));
  });

  const times = shortOrWhole(3, 20);
  it(
    `ends in time when it is told to stop under load, and has each effect once and in order over ${times} starts`,
    async () => {
      const [place, people] = [await open(), await scene.bornMany(6)];
      const last = new Map(people.map(({ id }) => [id, 1]));
      const over = new AbortController();
      const load = async (person: Person): Promise<void> => {
        while (!over.signal.aborted) {
          await unlink(await link(person));
          last.set(person.id, (last.get(person.id) ?? 0) + 2);
        }
      };
      await (await place.follow('0')).stop();
      const loading = Promise.all(people.map(load));
      let slowestMs = 0;
      for (let time = 1; time <= times; time += 1) {
        const app = await place.follow(String(time), { waitFor: 'livez' });
        // Every third one while it still begins.
        if (time % 3 !== 0) await place.untilWorked(String(time), 30);
        const toldAt = performance.now();
        const { code } = await app.stop();
        const tookMs = performance.now() - toldAt;
        expect([time, code]).toEqual([time, 0]);
        expect(tookMs).toBeLessThan(8_000);
        slowestMs = Math.max(slowestMs, tookMs);
      }
      over.abort();
      await loading;
      const final = await place.follow('final');
      for (const person of people) await place.untilAllAt([person], last.get(person.id) ?? 0);
      expect(await final.stop()).toMatchObject({ code: 0 });
      for (const person of people)
        expect(await place.versions(person)).toEqual(Array.from({ length: last.get(person.id) ?? 0 }, (_, n) => n + 1));
      const effects = [...last.values()].reduce((sum, version) => sum + version, 0);
      counted('a follower stopped under load', { times, effects, slowestMs: Math.round(slowestMs) });
    },
    shortOrWhole(180_000, 900_000),
  );

  it('keeps its partitions through a transaction that takes longer than its session, and has the effect once', async () => {
    const [place, person] = [await open(), await scene.born()];
    const slow = await place.follow('slow');
    await place.untilAllAt([person], 1);
    const rejoined = (): number => slow.logs().filter(({ message }) => String(message).includes('re-joining')).length;
    const before = rejoined();
    await place.shutGate();
    await link(person);
    await place.untilAtGate();
    // The session ends after 15 s without a heartbeat.
    await delay(17_000);
    await place.openGate();
    await link(person);
    await place.untilAllAt([person], 3);
    expect([rejoined(), await place.versions(person)]).toEqual([before, [1, 2, 3]]);
    expect(await slow.stop()).toMatchObject({ code: 0 });
  });

  it('gives its partitions up between two transactions, and each effect comes once and in order', async () => {
    const [place, people] = [await open(), await scene.bornMany(20)];
    const [person] = people as [Person, ...Person[]];
    const early = await place.follow('early');
    await place.untilAllAt(people, 1);
    await early.stop();
    // Steps of one user are a transaction each, and these come in one batch.
    for (let n = 0; n < 5; n += 1) await link(person);
    await untilPublished(person, 6);
    await place.shutGate();
    const first = await place.follow('first', { waitFor: 'livez' });
    await place.untilAtGate();
    const second = await place.follow('second', { waitFor: 'livez' });
    const groupIs = (state: string, members: number): Promise<unknown> =>
      until(async () => (await place.group()) === `${state} ${members}`, { ...patience, what: `${state} ${members}` });
    await groupIs('PreparingRebalance', 2);
    await until(() => says(first, 'Heartbeat'), { ...patience, what: 'the first one to hear of it' });
    await delay(shortOrWhole(0, 20_000));
    await place.letOneThrough();
    await groupIs('Stable', 2);
    expect(await place.versions(person)).toEqual([1, 2]);
    await place.openGate();
    await place.untilAllAt([person], 6);
    for (let n = 0; n < 3; n += 1) await Promise.all(people.map(link));
    await Promise.all([place.untilAllAt([person], 9), place.untilAllAt(people, 4)]);
    for (const { id } of people) {
      const last = id === person.id ? 9 : 4;
      expect(await place.versions({ id })).toEqual(Array.from({ length: last }, (_, n) => n + 1));
    }
    const [byFirst, bySecond] = [await place.workOf('first'), await place.workOf('second')];
    expect(byFirst + bySecond).toBe(65);
    expect(Math.min(byFirst, bySecond)).toBeGreaterThan(0);
    for (const app of [first, second]) expect(await app.stop()).toMatchObject({ code: 0 });
  });

  it('ends in time when it is told to stop while its database is away, and loses nothing', async () => {
    const [place, person] = [await open(), await scene.born()];
    const app = await place.follow('first');
    await place.untilAllAt([person], 1);
    await place.shutGate();
    await link(person);
    await place.untilAtGate();
    await place.leave();
    await until(() => says(app, 'tried again'), { ...patience, what: 'the pause between two tries' });
    const toldAt = performance.now();
    expect(await app.stop()).toMatchObject({ code: 0 });
    expect(performance.now() - toldAt).toBeLessThan(8_000);
    await place.openGate();
    await place.comeBack();
    expect(await place.versions(person)).toEqual([1]);
    await place.follow('second');
    await link(person);
    await place.untilAllAt([person], 3);
    expect(await place.versions(person)).toEqual([1, 2, 3]);
  });

  const goesOn = async (fault: 'refuse' | 'lose'): Promise<readonly number[]> => {
    const proxy = await startKafkaProxy(services.kafkaBrokers);
    const [place, person] = [await open(), await scene.born()];
    await untilPublished(person, 1);
    const booting = proxy.next('offsetCommit', fault);
    const app = await place.follow('first', { env: { KAFKA_BROKERS: proxy.brokers } });
    await booting.done;
    await place.untilAllAt([person], 1);
    const stale = async (): Promise<number> => (await http(app.url).get('/readyz')).body.applied.stale;
    for (let version = 2; version <= 4; version += 1) {
      const [struck, before] = [proxy.next('offsetCommit', fault), await stale()];
      await link(person);
      await struck.done;
      await until(async () => (await stale()) > before, { ...patience, what: 'something to come again' });
      await place.untilAllAt([person], version);
    }
    expect(await app.stop()).toMatchObject({ code: 0 });
    await proxy.close();
    expect(await place.repeated()).toEqual([]);
    return place.versions(person);
  };

  it('goes on when offsets are not committed, or nobody hears of it, while it boots and later, and knows what comes again', async () => {
    const versions = await Promise.all([goesOn('refuse'), goesOn('lose')]);
    expect(versions).toEqual(versions.map(() => [1, 2, 3, 4]));
  });
});
