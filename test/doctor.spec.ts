import { Partitioners } from 'kafkajs';
import { Database, examine, pickPublished, readPublishedPlaces, type Violation } from '../libs/store/src/index.js';
import { type Acme, ok, startAcme } from './harness/acme.js';
import { runCli } from './harness/cli.js';
import { createSmallTopics, freshTopicPrefix, kafkaClient, undoTransaction } from './harness/kafka.js';
import { startRelay } from './harness/processes.js';
import { services } from './harness/services.js';
import { shortOrWhole } from './harness/torture.js';
import { until } from './harness/until.js';

interface Person {
  readonly id: string;
  readonly openId: string;
  readonly unionId: string;
}

/** What the command says, line by line: the rule, what is wrong, and with whom. */
const namedIn = (text: string): { rule: string; what: string; ids: string[] }[] =>
  [...text.matchAll(/^(G\d+) {2}(.*): (\S.*)$/gm)].map(([, rule = '', what = '', ids = '']) => ({
    rule,
    what,
    ids: ids.split(', '),
  }));

const insertIdentity = (openId: string, userId: string): string =>
  `INSERT INTO identity (app_id, open_id, entity_id, user_id, linked_at, source)
   VALUES ('a1', '${openId}', 'acme', '${userId}', clock_timestamp(), 'spec')`;
const copy = (id: string, version: number, data: string): string =>
  `INSERT INTO journal (recorded_at, entity_id, shard, user_id, version, key, type, event_id, cause, actor, data)
   SELECT recorded_at, entity_id, shard, user_id, ${version}, key, 'identity.UserKeyed.v1', gen_random_uuid(), cause, actor, ${data}
   FROM journal WHERE user_id = '${id}' AND version = 1`;

const state = (person: Person, version: number): string =>
  JSON.stringify({ id: person.id, status: 'live', version, identities: [], unionIds: [] });

describe('The doctor', () => {
  let acme: Acme;
  let next = 0;

  beforeEach(async () => {
    acme = await startAcme({ apis: 1 });
  });
  afterEach(() => acme.stop());

  const born = async (): Promise<Person> => {
    const n = (next += 1);
    const [openId, unionId] = [`open-${n}-xyz`, `union-${n}-xyz`];
    return { id: (await acme.resolved('a1', openId, unionId)).user.id, openId, unionId };
  };
  const merge = async (source: Person, target: Person): Promise<string> => {
    const wish = { targetUserId: target.id, sourceUserIds: [source.id], reason: 'spec', allowDifferentUnionIds: true };
    return ok(await acme.operator.post('/v1/merges', wish)).body.results[0].mergeId;
  };
  const entryOf = async (userId: string, version: number): Promise<string> => {
    const sql = 'SELECT id::text FROM journal WHERE user_id = $1 AND version = $2';
    return (await acme.database.query<{ id: string }>(sql, [userId, version]))[0]?.id ?? '';
  };
  /** Everything there is: merges, undone ones too, splits, conflicts, links by hand, erasures. */
  const live = async (): Promise<void> => {
    const n = (next += 1);
    const [a, b, c, d, e, f] = [await born(), await born(), await born(), await born(), await born(), await born()];
    await merge(a, b);
    const undone = await merge(c, d);
    ok(await acme.operator.post(`/v1/merges/${undone}/revert`, { reason: 'spec' }));
    await acme.resolved('a2', `late-${n}`);
    await acme.resolved('a2', `late-${n}`, `union-late-${n}`);
    await acme.resolved('a1', b.openId, c.unionId);
    const byHand = { appId: 'a3', openId: `hand-${n}`, userId: d.id, reason: 'spec' };
    ok(await acme.operator.post('/v1/identities', byHand));
    const split = { identities: [{ appId: 'a3', openId: byHand.openId }], reason: 'spec' };
    ok(await acme.operator.post(`/v1/users/${d.id}/split`, split));
    ok(await acme.operator.post('/v1/identities', { ...byHand, openId: `gone-${n}` }));
    ok(await acme.operator.delete(`/v1/identities/a3/gone-${n}`));
    await merge(e, f);
    ok(await acme.operator.delete(`/v1/users/${f.id}`));
    ok(await acme.operator.delete(`/v1/users/${c.id}`));
  };

  it('finds nothing where all of it holds', async () => {
    await live();
    const { code, stdout } = await runCli(acme.database.url, ['doctor']);
    expect([code, stdout]).toEqual([0, 'nothing found: all of it holds\n']);
  });

  it('names one of each kind, with the ids concerned, and nothing else', async () => {
    await live();
    const people = await Promise.all(Array.from({ length: 24 }, born));
    const taken = (): Person => people.pop() ?? { id: '', openId: '', unionId: '' };
    const planted: [string, string][] = [];
    /** `broken`: rule and first id of what must be named. */
    const plant = async (sql: string, ...broken: [string, string][]): Promise<void> => {
      await acme.database.query(sql);
      planted.push(...broken);
    };

    const [away, home] = [taken(), taken()];
    await merge(away, home);
    await plant(insertIdentity('strayed', away.id), ['G1', 'a1:strayed']);
    const [one, two, lost] = [taken(), taken(), taken()];
    await acme.database.query('ALTER TABLE identity DROP CONSTRAINT identity_pkey');
    await plant(insertIdentity(one.openId, two.id), ['G1', `a1:${one.openId}`], ['G5', two.id]);
    await plant(`DELETE FROM identity WHERE open_id = '${lost.openId}'`, ['G1', lost.id]);
    const [owner, thief] = [taken(), taken()];
    await plant(
      `ALTER TABLE union_key DROP CONSTRAINT union_key_pkey; INSERT INTO union_key
       VALUES ('acme', 'op1', '${owner.unionId}', '${thief.id}', clock_timestamp())`,
      ['G2', `op1:${owner.unionId}`],
      ['G5', thief.id],
    );
    const [stray, end, looped, other] = [taken(), taken(), taken(), taken()];
    await merge(stray, end);
    await plant(`DELETE FROM redirect WHERE user_id = '${stray.id}'`, ['G3', stray.id]);
    await merge(looped, other);
    await plant(`UPDATE redirect SET target_id = '${stray.id}' WHERE user_id = '${looped.id}'`, ['G3', looped.id]);
    const [from, to] = [taken(), taken()];
    await merge(from, to);
    const merged = await entryOf(to.id, 2);
    await plant(
      `UPDATE journal SET data = jsonb_set(data::jsonb, '{movedIdentities}', '[]')::json WHERE id = ${merged}`,
      ['G4', merged],
    );
    const [aged, told, gap, twice, silent, nobody] = [taken(), taken(), taken(), taken(), taken(), taken()];
    await plant(`UPDATE users SET created_at = created_at - interval '1 day' WHERE id = '${aged.id}'`, ['G5', aged.id]);
    const ofTwo = `replace(data::text, '"version":1', '"version":2')::json`;
    await plant(copy(told.id, 2, ofTwo), ['G6', told.id]);
    await acme.resolved('a2', `second-${gap.openId}`, gap.unionId);
    await acme.resolved('a3', `third-${gap.openId}`, gap.unionId);
    await plant(`DELETE FROM journal WHERE user_id = '${gap.id}' AND version = 2`, ['G7', gap.id]);
    await acme.database.query('DROP INDEX journal_user_version');
    await plant(copy(twice.id, 1, 'data').replace('UserKeyed', 'UserLinked'), ['G7', twice.id]);
    await acme.resolved('a2', `second-${silent.openId}`, silent.unionId);
    await plant(`DELETE FROM journal WHERE user_id = '${silent.id}' AND version = 2`, ['G10', silent.id]);
    const unsigned = await entryOf(nobody.id, 1);
    await plant(`UPDATE journal SET actor = '' WHERE id = ${unsigned}`, ['G10', unsigned]);

    const { code, stdout } = await runCli(acme.database.url, ['doctor', '--pause', '0']);
    const pairs = new Set(namedIn(stdout).map(({ rule, ids }) => `${rule} ${ids[0]}`));
    expect([...pairs].toSorted()).toEqual(planted.map(([rule, id]) => `${rule} ${id}`).toSorted());
    expect([code, stdout]).toEqual([1, expect.stringContaining(`${namedIn(stdout).length} violations`)]);
  }, 180_000);

  it('raises no false alarm while everything changes', async () => {
    const store = new Database({ url: acme.database.url, poolMax: 2, applicationName: 'spec' });
    const found: Violation[] = [];
    const over = new AbortController();
    const doctor = (async () => {
      for (let rounds = 0; !over.signal.aborted || rounds < 2; rounds += 1)
        for await (const { violations } of examine(store, 0)) found.push(...violations);
    })();
    await Promise.all(
      Array.from({ length: 4 }, async () => {
        for (let round = 0; round < shortOrWhole(3, 100); round += 1) await live();
      }),
    );
    over.abort();
    await doctor;
    await store.close();
    expect(found).toEqual([]);
  }, 300_000);

  it('compares the states topic with the tables, and has the relay tell again what is wrong there', async () => {
    const prefix = freshTopicPrefix();
    await createSmallTopics(prefix);
    const env = { KAFKA_BROKERS: services.kafkaBrokers, KAFKA_TOPIC_PREFIX: prefix };
    const doctor = (...more: string[]): ReturnType<typeof runCli> =>
      runCli(acme.database.url, ['doctor', '--pause', '0', ...more], env);
    const relay = await startRelay({ databaseUrl: acme.database.url, env });
    await live();
    const [stale, wrong, gone] = [await born(), await born(), await born()];
    const store = new Database({ url: acme.database.url, poolMax: 2, applicationName: 'spec' });
    const untilPublished = (people: readonly Person[], version: number): Promise<unknown> => {
      const steps = people.map(({ id }) => ({ userId: id, version }));
      const isPublished = async (): Promise<boolean> =>
        (await pickPublished(store, await readPublishedPlaces(store), steps)).size === steps.length;
      return until(isPublished, { timeoutMs: 60_000, what: 'all to be published' });
    };
    await untilPublished([stale, wrong, gone], 1);
    expect((await doctor()).stdout).toBe('nothing found: all of it holds\n');
    const producer = kafkaClient().producer({ createPartitioner: Partitioners.DefaultPartitioner });
    await producer.connect();
    const ghost = '0190a0a0-0000-7000-8000-000000000000';
    const states = `${prefix}identity.user-states.v1`;
    await producer.send({
      topic: states,
      messages: [
        { key: stale.id, value: state(stale, 0) },
        { key: wrong.id, value: state(wrong, 1) },
        { key: gone.id, value: null },
      ],
    });
    const first = await doctor();
    const topicOnly = namedIn(first.stdout).map(({ rule, what, ids }) => [rule, what, ids[0]]);
    expect(new Set(topicOnly)).toEqual(
      new Set([
        ['G5', 'the states topic ends before version 1 of the user', stale.id],
        ['G5', 'the states topic shows the user otherwise than it is', wrong.id],
        ['G6', 'the states topic has no record of the user', gone.id],
      ]),
    );
    expect((await doctor('--repair')).stdout).toContain('asked to tell 3 states once more');
    await until(async () => (await doctor()).code === 0, {
      timeoutMs: 60_000,
      what: 'the relay to have told it again',
    });
    await producer.send({
      topic: states,
      messages: [
        { key: ghost, value: state({ ...stale, id: ghost }, 1) },
        { key: 'nobody', value: state({ ...stale, id: 'nobody' }, 1) },
        { key: 'nobody else', value: '' },
      ],
    });
    const strangers = new Set([`G6 ${ghost}`, 'G6 nobody']);
    const named = async (...more: string[]): Promise<Set<string>> =>
      new Set(namedIn((await doctor(...more)).stdout).map(({ rule, ids }) => `${rule} ${ids[0]}`));
    expect(await named('--repair')).toEqual(strangers);
    await relay.stop();

    // From here on nobody asks for anything: the relay sweeps.
    const sweeping = await startRelay({ databaseUrl: acme.database.url, env: { ...env, STATES_SWEEP_SECONDS: '1' } });
    const admin = kafkaClient().admin();
    await admin.connect();
    const placeOf = async (): Promise<number> => {
      const [group] = await admin.fetchOffsets({ groupId: `${prefix}unionlink.states-sweep`, topics: [states] });
      return (group?.partitions ?? []).reduce((sum, { offset }) => sum + Math.max(0, Number(offset)), 0);
    };
    const endOf = async (): Promise<number> =>
      (await admin.fetchTopicOffsets(states)).reduce((sum, { high }) => sum + Number(high), 0);
    const isSwept = async (): Promise<boolean> => (await placeOf()) === (await endOf());
    await until(isSwept, { timeoutMs: 60_000, what: 'the first sweep' });
    const [mangled, alsoErased] = [await born(), await born()];
    ok(await acme.operator.delete(`/v1/users/${alsoErased.id}`));
    await merge(mangled, wrong);
    await untilPublished([mangled, alsoErased, wrong], 2);
    await until(isSwept, { timeoutMs: 60_000, what: 'what happened meanwhile to be swept' });
    const before = await endOf();
    const planted = [
      { key: stale.id, value: state(stale, 0) },
      { key: wrong.id, value: state(wrong, 2) },
      { key: gone.id, value: null },
      { key: mangled.id, value: '{"id":' },
      { key: alsoErased.id, value: state(alsoErased, 1) },
    ];
    await producer.send({ topic: states, messages: planted });
    await until(async () => (await endOf()) === before + 2 * planted.length && (await isSwept()), {
      timeoutMs: 60_000,
      what: 'each to be told again, once',
    });
    expect(await named()).toEqual(strangers);
    // What was never committed is left for whoever restored the database to look at.
    await producer.send({ topic: states, messages: [{ key: stale.id, value: state(stale, 7) }] });
    await until(isSwept, { timeoutMs: 60_000, what: 'one more sweep' });
    expect((await doctor()).stdout).toContain(`tells of version 7, which was never committed: ${stale.id}`);
    await undoTransaction(states, [0, 1, 2]);
    await until(isSwept, { timeoutMs: 60_000, what: 'the place behind a transaction' });
    expect(await (await fetch(`${sweeping.url}/metrics`)).text()).toContain(
      'unionlink_relay_states_told_again_total 5',
    );
    await Promise.all([producer.disconnect(), admin.disconnect(), store.close(), sweeping.stop()]);
  }, 300_000);
});
