import { readFileSync } from 'node:fs';
import { topicName, topics } from '../libs/events/src/index.js';
import { Database, readNextUnits, takeImportLines } from '../libs/store/src/index.js';
import { type Acme, brokenInvariants, ok, startAcme } from './harness/acme.js';
import { runCli } from './harness/cli.js';
import { codesOf, importsOf } from './harness/imports.js';
import { inLanes } from './harness/lanes.js';
import { createSmallTopics, freshTopicPrefix, readTopic } from './harness/kafka.js';
import { type App, startRelay } from './harness/processes.js';
import { services } from './harness/services.js';
import { counted, shortOrWhole } from './harness/torture.js';
import { until } from './harness/until.js';

interface Person {
  readonly id: string;
  /** Everything personal that was ever told of them. */
  readonly texts: readonly string[];
}

/** Of what was written about others. */
const left = (what: string): string => `${what}: not erased, nor xerasedx; erased, abcd`;
const stale = (line: number): unknown => [line, 'observation_stale'];

describe('Erasing many people', () => {
  const { begin, ended: endOf, ownerOf } = importsOf(() => acme);
  /** Another replica seems to do the imports: nothing is taken off a job. */
  const hold = `INSERT INTO duty (name, owner, expires_at) VALUES ('imports', gen_random_uuid(), now() + interval '1 hour')
      ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, expires_at = excluded.expires_at`;
  const count = shortOrWhole(30, 1_000);
  const prefix = freshTopicPrefix();
  let acme: Acme;
  let relay: App;

  beforeAll(async () => {
    [acme] = await Promise.all([startAcme({ apis: 2, env: { LOG_LEVEL: 'debug' } }), createSmallTopics(prefix)]);
    const env = { KAFKA_BROKERS: services.kafkaBrokers, KAFKA_TOPIC_PREFIX: prefix, LOG_LEVEL: 'debug' };
    relay = await startRelay({ databaseUrl: acme.database.url, env });
  }, 180_000);
  afterAll(async () => {
    await relay.stop();
    await acme.stop();
  });

  /**
   * Somebody with a past: late keys, merges made and undone, a split, a conflict that nobody owns the other side of, a push
   * that nobody could handle, and people who put ids where a reason was asked for.
   */
  const born = async (n: number): Promise<Person> => {
    const at = `${n}-${'qwertyuiop'.repeat(2)}`;
    const [first, second, lost, twin, union, strange] = ['oA', 'oB', 'oC', 'oT', 'uU', 'uS'].map((kind) => kind + at);
    const openIds = [first, second, lost, twin] as string[];
    const [a = '', b = '', c = '', t = ''] = openIds;
    const reason = `written about ${a} and ${union}`;
    const { user } = await acme.resolved('a1', a, n % 2 === 0 ? union : undefined);
    await acme.resolved('a1', a, union);
    await acme.resolved('a2', b, union);
    await acme.resolved('a2', b, strange);
    if (n % 3 === 0) {
      const other = await acme.resolved('a3', t);
      const wish = { targetUserId: user.id, sourceUserIds: [other.user.id], reason };
      const { body } = ok(await acme.anyone().post('/v1/merges', wish, { headers: { 'idempotency-key': `key-${n}` } }));
      if (n % 2 === 0) {
        ok(await acme.anyone().post(`/v1/merges/${body.results[0].mergeId}/revert`, { reason }));
        await acme.anyone().delete(`/v1/users/${other.user.id}`);
      }
    }
    if (n % 4 === 1) {
      ok(await acme.anyone().post('/v1/identities', { appId: 'a4', openId: c, userId: user.id, reason }));
      ok(await acme.anyone().delete(`/v1/identities/a4/${c}?reason=${reason}`));
    }
    if (n % 5 === 0) {
      const stranger = await acme.resolved('a4', `oStranger-${n}`);
      ok(await acme.anyone().put('/v1/separations', { userIds: [user.id, stranger.user.id], reason }));
      const split = { identities: [{ appId: 'a2', openId: b }], reason };
      const { body } = ok(await acme.anyone().post<{ id: string }>(`/v1/users/${user.id}/split`, split));
      ok(await acme.anyone().delete(`/v1/users/${body.id}?reason=asked`));
    }
    await acme.database.query(
      `INSERT INTO push (app_id, entity_id, dedupe_key, status, message, reason)
        VALUES ('a1', 'acme', $1, 'parked', json_build_object('event', null, 'openId', $2::text, 'unionId', $3::text), 'Error')`,
      [`spec-${n}`, a, union],
    );
    return { id: user.id, texts: [...openIds, union ?? '', strange ?? ''] };
  };

  it(
    'leaves nothing of them in any table, log or last state',
    async () => {
      const people: Person[] = [];
      await inLanes(count, 8, async (n) => void people.push(await born(n)));
      const texts = people.flatMap((person) => person.texts);
      const found = (text: string): string[] => texts.filter((one) => text.includes(one));
      const [before] = await acme.database.query<{ text: string }>(
        `SELECT string_agg(j::text, '') AS text FROM journal j`,
      );
      expect(found(before?.text ?? '').length).toBeGreaterThan(count * 4);
      const kept = await acme.resolved('a1', 'oKept-asdfghjkl', 'uKept-asdfghjkl');
      await inLanes(count, 8, async (n) => {
        const { status } = await acme.anyone().delete(`/v1/users/${people[n]?.id}?reason=${people[n]?.texts[0]} asked`);
        expect(status).toBe(202);
      });
      const tables = await acme.database.query<{ name: string }>(
        `SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE'`,
      );
      for (const { name } of tables) {
        const rows = await acme.database.query<{ row: string }>(`SELECT t::text AS row FROM "${name}" t`);
        expect([name, found(rows.map(({ row }) => row).join('\n'))]).toEqual([name, []]);
      }
      expect(await brokenInvariants(acme.database)).toEqual([]);
      const notices = await acme.database.query<{ type: string; told: number }>(
        `SELECT type, count(DISTINCT data -> 'conflict' ->> 'id')::int AS told FROM journal WHERE type LIKE '%Conflict%' GROUP BY type`,
      );
      const told = (type: string): number =>
        notices.find((one) => one.type === `identity.Conflict${type}.v1`)?.told ?? 0;
      expect(told('Opened')).toBeGreaterThan(count / 2);
      expect(told('Resolved')).toBe(told('Opened'));

      const topic = topicName(prefix, topics.userStates);
      const last = new Map<string, string>();
      await until(
        async () => {
          for (const { key, value } of await readTopic(topic)) last.set(key ?? '', value ?? '');
          return people.every(({ id }) => last.get(id)?.includes('"erased"')) && last.has(kept.user.id);
        },
        { timeoutMs: 120_000, what: 'the states of all the erased to be published' },
      );
      expect(found([...last.values()].join('\n'))).toEqual([]);
      for (const app of [...acme.apis, relay]) {
        const log = readFileSync(app.logFile, 'utf8');
        expect([app.name, found(log)]).toEqual([app.name, []]);
      }
      counted('erased', { people: count, texts: texts.length, tables: tables.length, states: last.size });
    },
    shortOrWhole(300_000, 1_800_000),
  );

  it('takes their ids out of whatever was written about others, and leaves the rest of it', async () => {
    const [openId, unionId] = ['oGossip-wertyuiopasdfgh', 'uGossip-wertyuiopasdfgh'];
    const { user } = await acme.resolved('a1', openId, unionId);
    const short = await acme.resolved('a2', 'abc', unionId);
    expect(short.user.id).toBe(user.id);
    const others: string[] = [];
    for (let n = 0; n < 5; n += 1) others.push((await acme.resolved('a3', `oOther-${n}-zxcvbnm`)).user.id);
    const [a = '', b = '', c = '', d = '', e = ''] = others;
    const about = (what: string): string => `${what}: not ${openId}, nor x${unionId}x; abc, abcd`;
    const wish = { targetUserId: a, sourceUserIds: [b], reason: about('merge') };
    const { body } = ok(await acme.anyone().post('/v1/merges', wish));
    const { mergeId } = body.results[0];
    ok(await acme.anyone().post(`/v1/merges/${mergeId}/revert`, { reason: about('revert') }));
    ok(await acme.anyone().put('/v1/separations', { userIds: [c, d], reason: about('apart') }));
    ok(
      await acme.anyone().post('/v1/identities', { appId: 'a4', openId: 'oLinked', userId: c, reason: about('link') }),
    );
    await acme.resolved('a1', 'oOther-5', 'uOther-5');
    const { conflictId } = await acme.resolved('a1', 'oOther-5', 'uOther-6');
    const decided = { decision: 'keep', reason: about('conflict') };
    ok(await acme.anyone().post(`/v1/conflicts/${conflictId}/resolve`, decided));
    const gone = await acme
      .anyone()
      .delete<{ erasureId: string }>(`/v1/users/${e}?reason=${encodeURIComponent(about('erase'))}`);
    const { body: erased } = ok(gone);
    // What participants say comes by Kafka, too; and nobody here has any.
    const answers = [
      `INSERT INTO acknowledgement (kind, subject_id, participant, expected, status, detail) VALUES ('merge', $1, 'p', true, 'done', $2)`,
      `INSERT INTO consent (merge_id, participant, deadline_at, reason) VALUES ($1, 'p', now(), $2)`,
      `INSERT INTO ignored_answer (merge_id, participant, answer, why, reason) VALUES ($1, 'p', 'refuse', 'late', $2)`,
      `INSERT INTO merge_case (merge_id, needs_approval, decision_reason) VALUES ($1, false, $2)`,
    ];
    for (const sql of answers) await acme.database.query(sql, [mergeId, about('answer')]);

    const unsealed = 'SELECT FROM journal j WHERE NOT EXISTS (SELECT FROM audit_leaf l WHERE l.journal_id = j.id)';
    const isSealed = async (): Promise<boolean> => (await acme.database.query(unsealed)).length === 0;
    await until(isSealed, { timeoutMs: 60_000, what: 'all entries to be sealed' });
    ok(await acme.anyone().delete(`/v1/users/${user.id}?reason=asked`));
    const kept = async (sql: string): Promise<unknown[]> =>
      (await acme.database.query<{ reason: string }>(sql)).map(({ reason }) => reason);
    expect(await kept(`SELECT reason FROM merge WHERE id = '${mergeId}'`)).toEqual([left('merge')]);
    expect(await kept(`SELECT revert_reason AS reason FROM merge WHERE id = '${mergeId}'`)).toEqual([left('revert')]);
    expect(await kept(`SELECT reason FROM separation WHERE '${c}' IN (user_a, user_b)`)).toEqual([left('apart')]);
    expect(await kept(`SELECT reason FROM erasure WHERE user_id = '${e}'`)).toEqual([left('erase')]);
    expect(await kept(`SELECT reason FROM conflict WHERE id = '${conflictId}'`)).toEqual([left('conflict')]);
    for (const [table, column] of [
      ['acknowledgement', 'detail'],
      ['consent', 'reason'],
      ['ignored_answer', 'reason'],
      ['merge_case', 'decision_reason'],
    ] as const) {
      const id = table === 'acknowledgement' ? 'subject_id' : 'merge_id';
      expect([table, await kept(`SELECT ${column} AS reason FROM ${table} WHERE ${id} = '${mergeId}'`)]).toEqual([
        table,
        [left('answer')],
      ]);
    }
    const tables = await acme.database.query<{ name: string }>(
      `SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE'`,
    );
    for (const { name } of tables)
      expect([name, await acme.database.query(`SELECT 1 FROM "${name}" t WHERE t::text ~ 'Gossip'`)]).toEqual([
        name,
        [],
      ]);
    const shown = {
      link: `/v1/users/${c}/history`,
      revert: `/v1/merges/${mergeId}`,
      conflict: `/v1/conflicts/${conflictId}`,
      erase: `/v1/erasures/${erased.erasureId}`,
    };
    for (const [what, path] of Object.entries(shown)) {
      const text = JSON.stringify(ok(await acme.anyone().get(path)).body);
      expect([path, text.includes('Gossip'), text.includes(left(what))]).toEqual([path, false, true]);
    }
    expect(await brokenInvariants(acme.database)).toEqual([]);
    const verified = await runCli(acme.database.url, ['audit', 'verify', '--entity', 'acme']);
    expect([verified.code, verified.stdout]).toEqual([0, expect.stringContaining('acme: whole')]);
  });

  it('leaves nothing of them in an import that waits, and what it says of them is refused line by line', async () => {
    await acme.database.query(hold);
    const { user } = await acme.resolved('a1', 'oWaiting-1', 'uWaiting-1');
    const { user: other } = await acme.resolved('a2', 'oWaiting-2');
    const lines = [
      { appId: 'a1', openId: 'oWaiting-1', unionId: 'uWaiting-9' },
      { appId: 'a2', openId: 'oWaiting-3', unionId: 'uWaiting-1' },
      { appId: 'a2', openId: 'oWaiting-1', unionId: 'uWaiting-4' },
      { appId: 'a9', openId: 'oWaiting-5', unionId: 'uWaiting-1' },
    ];
    const seen = await begin('identities', lines);
    const moved = await begin('open_ids', [
      { oldAppId: 'a1', oldOpenId: 'oWaiting-1', newAppId: 'a3', newOpenId: 'oWaiting-6' },
      { oldAppId: 'a2', oldOpenId: 'oWaiting-2', newAppId: 'a3', newOpenId: 'oWaiting-7' },
    ]);
    const rekeyed = await begin('union_ids', [
      { openPlatformId: 'op1', oldUnionId: 'uWaiting-1', newUnionId: 'uWaiting-8' },
    ]);
    ok(await acme.anyone().delete(`/v1/users/${user.id}?reason=asked`));
    const waiting = await acme.database.query<{ content: string }>(
      'SELECT content::text FROM import_line ORDER BY job_id, unit, line',
    );
    expect(waiting.map(({ content }) => JSON.parse(content))).toEqual([
      null,
      null,
      expect.objectContaining(lines[2] ?? {}),
      expect.objectContaining(lines[3] ?? {}),
      null,
      expect.objectContaining({ oldOpenId: 'oWaiting-2' }),
      null,
    ]);
    await acme.database.query(`DELETE FROM duty WHERE name = 'imports'`);
    const ended = await Promise.all([seen, moved, rekeyed].map((id) => endOf(id)));
    expect(ended.map((job) => [job.status, job.total, job.failed, codesOf(job)])).toEqual([
      ['done', 4, 2, [stale(1), stale(2)]],
      ['done', 2, 1, [stale(1)]],
      ['done', 1, 1, [stale(1)]],
    ]);
    expect((await ownerOf('a3', 'oWaiting-7')).body.user.id).toBe(other.id);
    expect((await ownerOf('a2', 'oWaiting-1')).status).toBe(200);
    const gone = { a1: 'oWaiting-1', a2: 'oWaiting-3', a3: 'oWaiting-6' };
    for (const [appId, openId] of Object.entries(gone)) expect((await ownerOf(appId, openId)).status).toBe(404);
    expect(await brokenInvariants(acme.database)).toEqual([]);
  });

  it('has what a worker had read before the erasure read again', async () => {
    const { user } = await acme.resolved('a1', 'oRead-1', 'uRead-1');
    await acme.database.query(hold);
    const jobId = await begin('identities', [{ appId: 'a2', openId: 'oRead-2', unionId: 'uRead-1' }]);
    const store = new Database({ url: acme.database.url, poolMax: 1, applicationName: 'spec' });
    const read = await readNextUnits(store, jobId, 0, 10);
    ok(await acme.anyone().delete(`/v1/users/${user.id}?reason=asked`));
    const range = { jobId, fromUnit: 0, toUnit: 1 };
    const take = async (lines: typeof read): Promise<boolean> =>
      store.transaction(async (transaction) => {
        if (await takeImportLines(transaction, range, lines)) return true;
        throw new Error('to be rolled back');
      });
    await expect(take(read)).rejects.toThrow('to be rolled back');
    expect(await take(await readNextUnits(store, jobId, 0, 10))).toBe(true);
    await store.close();
    await acme.database.query(`DELETE FROM duty WHERE name = 'imports'`);
  });
});
