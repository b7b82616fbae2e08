import { randomUUID } from 'node:crypto';
import type { Message, Producer, Transaction } from 'kafkajs';
import { deadLetterRoomBytes, messageMaxBytes } from '../apps/relay/src/kafka/topics.js';
import { type Acme, brokenInvariants, ok, startAcme } from './harness/acme.js';
import { type CuttingProxy, startCuttingProxy } from './harness/cutting-proxy.js';
import {
  createSmallTopics,
  freshTopicPrefix,
  kafkaClient,
  type KafkaRecord,
  produce,
  readTopic,
} from './harness/kafka.js';
import { type App, startRelay } from './harness/processes.js';
import { services } from './harness/services.js';
import { counted, shortOrWhole } from './harness/torture.js';
import { until } from './harness/until.js';
import { connect } from './relay-people.js';

const prefix = freshTopicPrefix();
const observations = `${prefix}identity.observations.v1`;
const acknowledgements = `${prefix}identity.acknowledgements.v1`;
const deadLetters = `${prefix}identity.dead-letters.v1`;
const patience = { timeoutMs: 60_000 };

let acme: Acme;
let relay: App;

const startOurRelay = (): Promise<App> =>
  startRelay({ databaseUrl: acme.database.url, env: { KAFKA_TOPIC_PREFIX: prefix } });

const observed = (body: object, key = 'a1:o1', headers: Record<string, string> = {}): Message => ({
  key,
  value: JSON.stringify(body),
  headers,
});

const metricsOf = async ({ url }: App): Promise<string> => (await fetch(`${url}/metrics`)).text();

async function count(sql: string): Promise<number> {
  const [row] = await acme.database.query<{ count: string }>(sql);
  return Number(row?.count);
}

/** The dead letters of these records, each once: after a kill they may be there twice. */
async function lettersOf(keys: ReadonlySet<string>): Promise<KafkaRecord[]> {
  const records = (await readTopic(deadLetters)).filter(({ key }) => key !== null && keys.has(key));
  return [...new Map(records.map((record) => [placeOf(record), record])).values()];
}

const placeOf = ({ headers }: KafkaRecord): string =>
  [headers['source-topic'], headers['source-partition'], headers['source-offset']].join('/');

const untilLetters = async (keys: readonly string[]): Promise<KafkaRecord[]> =>
  until(async () => {
    const letters = await lettersOf(new Set(keys));
    return letters.length >= keys.length && letters;
  }, patience);

const poisonous = (more: object): string => JSON.stringify({ appId: 'a1', openId: 'oPoison', ...more });

/** Thirty records that nobody can take, one of each kind in turn. */
function poisons(): (Message & { readonly reason: string })[] {
  const kinds: [string, string | Buffer | null][] = [
    ['not_json', 'not JSON at all'],
    ['not_json', Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x7d])],
    ['not_json', null],
    ['invalid_request', '[]'],
    ['invalid_request', '"text"'],
    ['invalid_request', poisonous({ openId: undefined })],
    ['invalid_request', poisonous({ openId: ' null ' })],
    ['invalid_request', poisonous({ more: 1 })],
    ['invalid_request', poisonous({ observedAt: 'yesterday' })],
    ['app_not_found', poisonous({ appId: 'a77' })],
    ['snapshot_user', poisonous({ isSnapshotUser: true })],
    ['invalid_request', poisonous({ unionId: { deep: ['er'] } })],
  ];
  return Array.from({ length: 30 }, (_, index) => {
    const [reason, value] = kinds[index % kinds.length] ?? ['', null];
    return { key: `poison-${index}`, value, reason };
  });
}

const oneOfMany = (index: number, unionId?: string): Message =>
  observed({ appId: 'a3', openId: `oMany${index}`, ...(unionId === undefined ? {} : { unionId }) }, `a3:oMany${index}`);

/** Puts the few between the many at even distances. */
function mixed(many: readonly Message[], few: readonly Message[]): Message[] {
  const distance = Math.floor(many.length / few.length);
  return many.flatMap((message, index) => {
    const other = index % distance === 0 ? few[index / distance] : undefined;
    return other === undefined ? [message] : [other, message];
  });
}

/** KafkaJS writes a header without a value, as connectors do, but cannot count its bytes. */
async function withNullHeaders(work: () => Promise<void>): Promise<void> {
  const byteLength: typeof Buffer.byteLength = Buffer.byteLength.bind(Buffer);
  Buffer.byteLength = (value, encoding) => ((value as unknown) === null ? 0 : byteLength(value, encoding));
  await work().finally(() => (Buffer.byteLength = byteLength));
}

const hasWaited = (): boolean => relay.logs().some(({ msg }) => msg === 'records of an inbound topic are tried again');

beforeAll(async () => {
  [acme] = await Promise.all([startAcme(), createSmallTopics(prefix)]);
  relay = await startOurRelay();
}, 120_000);

afterAll(async () => {
  await relay.kill();
  await acme.stop();
});

describe('What comes in by Kafka', () => {
  it('has the effect of the same by REST, and says by which request it came', async () => {
    const key = 'a1:oKafka';
    await produce(observations, [
      observed({ appId: 'a1', openId: 'oKafka', unionId: 'uKafka', source: 'code2session' }, key, {
        ce_causationid: 'request-of-theirs',
      }),
      observed({ appId: 'a2', openId: ' oKafka2 ', unionId: 'uKafka' }, 'a2:oKafka2', { 'x-request-id': 'two words' }),
    ]);
    const userOf = (appId: string, openId: string): Promise<string> =>
      until(async () => {
        const answer = await acme.operator.get<{ user: { id: string } }>(`/v1/identities/${appId}/${openId}`);
        return answer.status === 200 && answer.body.user.id;
      }, patience);
    const id = await userOf('a1', 'oKafka');
    expect(await userOf('a2', 'oKafka2')).toBe(id);
    expect(await acme.resolved('a1', 'oKafka', 'uKafka')).toMatchObject({ outcome: 'unchanged', user: { id } });
    const rows = await acme.database.query<{ cause: string; actor: string; request_id: string }>(
      `SELECT cause, actor, request_id FROM journal WHERE user_id = $1 ORDER BY evidence ->> 'openId'`,
      [id],
    );
    expect(rows).toEqual([
      { cause: 'observation', actor: 'kafka', request_id: 'request-of-theirs' },
      {
        cause: 'observation',
        actor: 'kafka',
        request_id: expect.stringMatching(/identity\.observations\.v1\/\d+\/\d+$/),
      },
    ]);
    const applied = `unionlink_relay_inbound_total{topic="${observations}",result="applied"} 2`;
    await until(async () => (await metricsOf(relay)).includes(applied), patience);
  });

  it('is applied in order and once, poison put aside, though the relay is killed in the middle', async () => {
    const people = shortOrWhole(400, 10_000);
    const everyone = Array.from({ length: people }, (_, index) => index);
    // In this order the first unionId is the key and the second contradicts it; in any other it would not be so.
    const steps = [
      ...everyone.map((index) => oneOfMany(index)),
      ...everyone.map((index) => oneOfMany(index, `uFirst${index}`)),
      ...everyone.map((index) => oneOfMany(index, `uSecond${index}`)),
    ];
    const bad = poisons();
    const records = mixed(steps, bad);
    expect(records).toHaveLength(people * 3 + 30);
    const half = records.length / 2;
    await produce(observations, records.slice(0, half));
    const identities = `SELECT count(*) FROM identity WHERE open_id LIKE 'oMany%'`;
    await until(async () => (await count(identities)) > 0, patience);
    // Whoever writes waits for this lock, so that the relay is killed with work in its hands.
    const blocker = await connect(acme.database.url);
    await blocker.query('BEGIN; LOCK TABLE identity IN SHARE MODE');
    await produce(observations, records.slice(half));
    await relay.kill();
    await blocker.query('ROLLBACK');
    await blocker.end();
    relay = await startOurRelay();

    const letters = await untilLetters(bad.map(({ key }) => String(key)));
    const contradicted = `SELECT count(*) FROM conflict WHERE open_id LIKE 'oMany%' AND union_id LIKE 'uSecond%'`;
    await until(async () => (await count(contradicted)) === people, patience);
    expect(await count(`${identities} AND pending_union_id LIKE 'uSecond%'`)).toBe(people);
    expect(await count(`SELECT count(*) FROM union_key WHERE union_id LIKE 'uSecond%'`)).toBe(0);
    const keyed = `SELECT count(*) FROM identity i JOIN union_key k USING (user_id)
      WHERE i.open_id = 'oMany' || substr(k.union_id, 7) AND k.union_id LIKE 'uFirst%'`;
    expect(await count(keyed)).toBe(people);
    expect(
      await count(`SELECT count(*) FROM users u JOIN identity i ON i.user_id = u.id
      WHERE i.open_id LIKE 'oMany%' AND u.version = 2`),
    ).toBe(people);
    expect(await brokenInvariants(acme.database)).toEqual([]);

    expect(letters).toHaveLength(bad.length);
    const found = new Map(letters.map((letter) => [letter.key, letter]));
    for (const { key, value, reason } of bad) {
      const letter = found.get(String(key));
      expect([key, letter?.headers.reason, letter?.value]).toEqual([
        key,
        reason,
        value === null ? null : String(value),
      ]);
    }
    // Nothing but the poison: where there are two of one, the relay was killed before it had saved its place.
    const all = await readTopic(deadLetters);
    expect(new Set(all.map(placeOf)).size).toBe(bad.length);
  }, 180_000);

  it('waits while the database is away, and is applied when it is back', async () => {
    const admin = await connect(services.adminUrl);
    const { name } = acme.database;
    await admin.query(`ALTER DATABASE ${name} ALLOW_CONNECTIONS false`);
    await admin.query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1', [name]);
    await produce(observations, [
      observed({ appId: 'a1', openId: 'oAway' }, 'a1:oAway'),
      observed({ appId: 'a1', openId: 'oAway', unionId: 'uAway' }, 'a1:oAway'),
      observed({ appId: 'a1', openId: 'oAway', unionId: 'uAway2' }, 'a1:oAway'),
    ]);
    await until(hasWaited, patience);
    await admin.query(`ALTER DATABASE ${name} ALLOW_CONNECTIONS true`);
    await admin.end();
    await until(async () => (await count(`SELECT count(*) FROM conflict WHERE union_id = 'uAway2'`)) === 1, patience);
    expect(await lettersOf(new Set(['a1:oAway']))).toEqual([]);
  }, 120_000);

  it('counts as seen when it was handed over: what waited does not bring an erased person back', async () => {
    const { user } = await acme.resolved('a1', 'oGone', 'uGone');
    const before = String(Date.now() - 1);
    ok(await acme.operator.delete(`/v1/users/${user.id}?reason=asked`));
    await produce(observations, [{ ...observed({ appId: 'a1', openId: 'oGone' }, 'late'), timestamp: before }]);
    const [letter] = await untilLetters(['late']);
    expect(letter?.headers.reason).toBe('observation_stale');
    // Nobody has seen tomorrow when handing it over.
    const tomorrow = { appId: 'a1', openId: 'oGone', observedAt: '2999-01-01T00:00:00Z' };
    await produce(observations, [{ ...observed(tomorrow, 'tomorrow'), timestamp: before }]);
    const [early] = await untilLetters(['tomorrow']);
    expect(early?.headers.reason).toBe('observation_stale');
    await produce(observations, [observed({ appId: 'a1', openId: 'oGone' }, 'a1:oGone')]);
    const returned = await until(async () => {
      const answer = await acme.operator.get<{ user: { id: string } }>('/v1/identities/a1/oGone');
      return answer.status === 200 && answer.body.user.id;
    }, patience);
    expect(returned).not.toBe(user.id);
  });
});

const inPartition = (partition: number, messages: readonly Message[]): Message[] =>
  messages.map((message) => ({ ...message, partition }));
const isKnown = async (openId: string): Promise<boolean> =>
  (await count(`SELECT count(*) FROM identity WHERE open_id = '${openId}'`)) === 1;

const begun = async (name: string): Promise<[Producer, Transaction]> => {
  const transactionalId = `${prefix}${name}`;
  const producer = kafkaClient().producer({ transactionalId, idempotent: true, maxInFlightRequests: 1 });
  await producer.connect();
  return [producer, await producer.transaction()];
};
const inTransaction = (openId: string): { topic: string; messages: Message[] } => ({
  topic: observations,
  messages: inPartition(0, [observed({ appId: 'a1', openId }, openId)]),
});

describe('What nobody foresaw by Kafka', () => {
  it('stops nothing by its headers: many, without a value, or named as what every object inherits', async () => {
    const many = Object.fromEntries(Array.from({ length: 10_000 }, (_, index) => [`h${index}`, 'x']));
    const withoutValue = { ce_causationid: null, traceparent: null } as never;
    await withNullHeaders(() =>
      produce(observations, [
        ...inPartition(0, [
          { key: 'inherited', value: 'x', headers: { constructor: 'a', ['__proto__']: 'b', toString: ['c', 'd'] } },
          observed({ appId: 'a1', openId: 'oInherited' }),
        ]),
        ...inPartition(1, [
          { key: 'null-header', value: 'x', headers: withoutValue },
          observed({ appId: 'a1', openId: 'oNullHeader' }, 'a1:oNullHeader', withoutValue),
        ]),
        ...inPartition(2, [
          { key: 'many-headers', value: 'x', headers: many },
          observed({ appId: 'a1', openId: 'oManyHeaders' }, 'a1:oManyHeaders', many),
        ]),
      ]),
    );
    const letters = await untilLetters(['inherited', 'null-header', 'many-headers']);
    expect(new Set(letters.map(({ headers }) => headers.reason))).toEqual(new Set(['not_json']));
    for (const openId of ['oInherited', 'oNullHeader', 'oManyHeaders']) await until(() => isKnown(openId), patience);
    expect(await lettersOf(new Set(['a1:oNullHeader', 'a1:oManyHeaders']))).toEqual([]);
  }, 180_000);

  it('has no effect where its transaction was undone, though another was open beside it', async () => {
    const [one, first] = await begun('first');
    const [other, second] = await begun('second');
    await first.send(inTransaction('oUndone1'));
    await second.send(inTransaction('oUndone2'));
    // Ended in the other order than begun.
    await second.abort();
    await first.send(inTransaction('oUndone3'));
    await first.abort();
    const [third, kept] = await begun('third');
    await kept.send(inTransaction('oKept'));
    await kept.commit();
    await Promise.all([one, other, third].map((producer) => producer.disconnect()));
    await until(() => isKnown('oKept'), patience);
    expect(await count(`SELECT count(*) FROM identity WHERE open_id LIKE 'oUndone%'`)).toBe(0);
  });

  it('is put aside without its value where somebody made the dead letters smaller than the record', async () => {
    const admin = kafkaClient().admin();
    await admin.connect();
    const limitTo = (value: string): Promise<unknown> => {
      const configEntries = [
        { name: 'cleanup.policy', value: 'delete' },
        { name: 'max.message.bytes', value },
      ];
      return admin.alterConfigs({ validateOnly: false, resources: [{ type: 2, name: deadLetters, configEntries }] });
    };
    await limitTo('3000');
    const keys = ['small', 'larger', 'beside'];
    await produce(
      observations,
      inPartition(
        1,
        keys.map((key) => ({ key, value: 'x'.repeat(key === 'larger' ? 4_000 : 10), headers: { theirs: 'kept' } })),
      ),
    );
    const letters = await untilLetters(keys);
    await limitTo(String(messageMaxBytes + deadLetterRoomBytes));
    await admin.disconnect();
    const told = letters.map(({ key, value, headers }) => [key, value?.length, headers['value-bytes'], headers.theirs]);
    expect(new Set(told)).toEqual(
      new Set([
        ['small', 10, undefined, 'kept'],
        ['larger', 0, '4000', undefined],
        ['beside', 10, undefined, 'kept'],
      ]),
    );
  }, 120_000);

  it('is refused for what it is and in a few words, however deep, wide or late', async () => {
    const nested = '['.repeat(50_000) + ']'.repeat(50_000);
    const wide = Object.fromEntries(Array.from({ length: 50_000 }, (_, index) => [`x${index}`, 1]));
    const late = { unionId: 'uLate', source: 'client_claim', observedAt: '9999-12-31T23:59:59-23:59' };
    const values = {
      deep: `{"appId":"a1","openId":"oDeep","more":${nested}}`,
      deepId: `{"appId":"a1","openId":${nested}}`,
      wide: JSON.stringify({ appId: 'a1', openId: 'oWide', ...wide }),
      longName: JSON.stringify({ appId: 'a1', openId: 'oLong', ['x'.repeat(900_000)]: 1 }),
      tooLate: JSON.stringify({ appId: 'a1', openId: 'oLate', ...late }),
    };
    for (const [key, value] of Object.entries(values)) await produce(observations, [{ key, value }]);
    await produce(acknowledgements, [{ key: 'deepAnswer', value: `{"kind":"party","id":${nested},"more":${nested}}` }]);
    const keys = [...Object.keys(values), 'deepAnswer'];
    const letters = await untilLetters(keys);
    expect(new Map(letters.map(({ key, headers }) => [key, headers.reason]))).toEqual(
      new Map(keys.map((key) => [key, 'invalid_request'])),
    );
    expect(Math.max(...relay.logs().map((line) => JSON.stringify(line).length))).toBeLessThan(10_000);
    const byRest = await acme.operator.post('/v1/identities/resolve', { appId: 'a1', openId: 'oLate', ...late });
    expect(byRest.status).toBe(400);
  }, 120_000);
});

const answer = (id: string, more: object = {}): Message => ({
  key: id,
  value: JSON.stringify({ kind: 'merge', id, participant: 'points', status: 'done', ...more }),
});

describe('Acknowledgements by Kafka', () => {
  interface Acknowledged {
    readonly acknowledgements: readonly { participant: string; kind: string; status: string; expected: boolean }[];
  }
  it('end in the same barrier as by REST; forged ones change nothing, unreadable ones are put aside', async () => {
    const participant = { entityId: 'acme', acknowledges: ['merge', 'erasure'] };
    ok(await acme.operator.put('/v1/participants/points', participant));
    ok(await acme.operator.put('/v1/participants/campaigns', participant));
    const target = await acme.resolved('a1', 'oTarget');
    const source = await acme.resolved('a2', 'oSource');
    const merged = ok(
      await acme.operator.post<{ results: { mergeId: string }[] }>('/v1/merges', {
        targetUserId: target.user.id,
        sourceUserIds: [source.user.id],
        reason: 'one person',
      }),
    );
    const mergeId = merged.body.results[0]?.mergeId ?? '';
    const erased = ok(
      await acme.operator.delete<{ erasureId: string }>(`/v1/users/${target.user.id}?reason=asked`),
    ).body;
    const unknown = randomUUID();
    await produce(acknowledgements, [
      answer(mergeId, { status: 'failed', detail: 'first\nsecond line' }),
      answer(mergeId),
      answer(mergeId, { status: 'failed' }),
      answer(mergeId, { participant: 'stranger', addedLater: true }),
      answer(unknown),
      { key: 'broken', value: '{"kind":"merge"' },
      answer(mergeId, { kind: 'party' }),
      answer(erased.erasureId, { kind: 'erasure' }),
      answer(mergeId, { kind: 'erasure' }),
    ]);
    const letters = await until(async () => {
      const found = await lettersOf(new Set([unknown, 'broken', mergeId]));
      return found.length >= 4 && found;
    }, patience);
    expect(new Set(letters.map(({ headers }) => headers.reason))).toEqual(
      new Set(['erasure_not_found', 'invalid_request', 'merge_not_found', 'not_json']),
    );
    const of = async (path: string): Promise<string[]> => {
      const { body } = ok(await acme.operator.get<Acknowledged>(path));
      return body.acknowledgements.map((one) => `${one.participant} ${one.kind} ${one.status} ${one.expected}`);
    };
    const isAnswered = async (): Promise<boolean> =>
      (await of(`/v1/erasures/${erased.erasureId}`)).includes('points erasure done true') &&
      (await of(`/v1/merges/${mergeId}`)).some((line) => line.startsWith('stranger'));
    await until(isAnswered, patience);
    // What is about no merge or erasure of ours is recorded too, where whoever looks will see it.
    expect(await of(`/v1/merges/${mergeId}`)).toEqual([
      'points erasure done false',
      'campaigns merge pending true',
      'points merge done true',
      'stranger merge done false',
    ]);
    expect(await of(`/v1/erasures/${erased.erasureId}`)).toEqual([
      'campaigns erasure pending true',
      'points erasure done true',
    ]);
  });
});

describe('Consent by Kafka, each answer twice', () => {
  type Answer = 'points accept' | 'points refuse' | 'campaigns accept';
  interface Story {
    readonly answers: readonly [Answer, Answer];
    readonly end: 'merged' | 'rejected';
  }
  const stories: readonly Story[] = [
    { answers: ['points accept', 'campaigns accept'], end: 'merged' },
    { answers: ['campaigns accept', 'points accept'], end: 'merged' },
    { answers: ['campaigns accept', 'points refuse'], end: 'rejected' },
  ];
  const isWhole = shortOrWhole(0, 1) === 1;
  let proxy: CuttingProxy;
  let born = 0;

  const startCutRelay = (): Promise<App> => startRelay({ databaseUrl: proxy.url, env: { KAFKA_TOPIC_PREFIX: prefix } });
  const say = (mergeId: string, answers: readonly Answer[]): Promise<void> =>
    produce(
      acknowledgements,
      [...answers, ...answers].map((said) => {
        const [participant, status] = said.split(' ');
        return answer(mergeId, { participant, status });
      }),
    );

  interface Seen {
    readonly status: string;
    readonly answered: number;
    readonly commits: number;
    readonly notices: number;
    readonly versions: readonly number[];
  }
  const look = async (mergeId: string): Promise<Seen | undefined> => {
    const [row] = await acme.database.query<Seen & Record<string, unknown>>(
      `SELECT status, (SELECT count(*)::int FROM consent WHERE merge_id = m.id AND answer IS NOT NULL) AS answered,
          (SELECT count(*)::int FROM journal WHERE type = 'identity.UserMerged.v1' AND data ->> 'mergeId' = m.id::text) AS commits,
          (SELECT count(*)::int FROM journal WHERE type = 'identity.MergeProposed.v1' AND data ->> 'mergeId' = m.id::text) AS notices,
          (SELECT array_agg(version::int ORDER BY id) FROM users WHERE id IN (m.source_user_id, m.target_user_id)) AS versions
        FROM merge m WHERE id = $1`,
      [mergeId],
    );
    return row;
  };

  const opened = async (): Promise<string> => {
    born += 1;
    const target = await acme.resolved('a1', `oAsked${born}`);
    const source = await acme.resolved('a2', `oAsking${born}`);
    const { body } = ok(
      await acme.operator.post<{ results: { mergeId: string; outcome: string }[] }>('/v1/merges', {
        targetUserId: target.user.id,
        sourceUserIds: [source.user.id],
        reason: 'one person',
      }),
    );
    expect(body.results[0]?.outcome).toBe('pending_consent');
    return body.results[0]?.mergeId ?? '';
  };

  /** The relay dies at a statement of the turn-th answer; answers which statement, null where there are not so many. */
  const tell = async (
    { answers, end }: Story,
    at: { turn: number; statement: number; when: 'before' | 'after'; dying: 'connection' | 'process' },
    told: Map<string, Seen>,
  ): Promise<string | null> => {
    const mergeId = await opened();
    let cut: string | null = null;
    for (const [turn, said] of answers.entries()) {
      const strike = async (): Promise<void> => void (await relay.kill());
      if (turn === at.turn) proxy.arm({ ...at, ...(at.dying === 'process' ? { strike } : {}) });
      await say(mergeId, [said]);
      if (turn === at.turn && at.dying === 'process') {
        await relay.exited;
        relay = await startCutRelay();
      }
      await until(async () => (await look(mergeId))?.answered === turn + 1, patience);
      if (turn === at.turn) cut = proxy.disarm();
    }
    const seen = await until(() => look(mergeId));
    const merged = { commits: 1, versions: [2, 2] };
    const rejected = { commits: 0, versions: [1, 1] };
    expect({ at, ...seen }).toEqual({
      at,
      status: end,
      answered: 2,
      notices: 1,
      ...(end === 'merged' ? merged : rejected),
    });
    told.set(mergeId, seen);
    return cut;
  };

  it('makes a merge once or never, and a late answer changes nothing, though the relay dies at any statement', async () => {
    proxy = await startCuttingProxy(acme.database.url);
    await relay.stop();
    relay = await startCutRelay();
    const asked = { entityId: 'acme', acknowledges: ['merge', 'erasure'], consents: ['merge'] };
    for (const name of ['points', 'campaigns']) ok(await acme.operator.put(`/v1/participants/${name}`, asked));

    const told = new Map<string, Seen>();
    const cuts: string[] = [];
    for (const [index, story] of stories.entries())
      for (const turn of isWhole ? [0, 1] : [index % 2])
        for (const when of isWhole || turn === 0 ? (['before', 'after'] as const) : (['after'] as const))
          for (let statement = isWhole ? 1 : 2 + index * 2; ; statement += 1) {
            const cut = await tell(story, { turn, statement, when, dying: 'connection' }, told);
            if (cut === null) break;
            cuts.push(cut);
            if (!isWhole) break;
          }
    let kills = 0;
    for (const statement of isWhole ? [2, 4, 6] : [])
      for (const when of ['before', 'after'] as const) {
        expect(await tell(stories[0] as Story, { turn: 1, statement, when, dying: 'process' }, told)).not.toBeNull();
        kills += 1;
      }
    counted('consent by Kafka', { merges: told.size, cuts: cuts.length, statements: new Set(cuts).size, kills });
    expect(new Set(cuts).size).toBeGreaterThan(2);

    // Whatever comes now is late; behind it, in each partition, something that is put aside.
    for (const mergeId of told.keys()) await say(mergeId, ['points refuse', 'campaigns accept', 'points accept']);
    const last = [0, 1, 2].map((partition) => ({ key: `last-${partition}`, value: 'not JSON', partition }));
    await produce(acknowledgements, last);
    await untilLetters(last.map(({ key }) => key));
    for (const [mergeId, seen] of told) expect(await look(mergeId)).toEqual(seen);
    expect(await brokenInvariants(acme.database)).toEqual([]);
    proxy.close();
  }, 600_000);
});
