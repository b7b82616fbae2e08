import { brokenInvariants, ok } from './harness/acme.js';
import { type CuttingProxy, startCuttingProxy } from './harness/cutting-proxy.js';
import { type Database, freshDatabase } from './harness/database.js';
import { type Answer, http, type Http, type Json } from './harness/http.js';
import { type App, operatorKey, startApi } from './harness/processes.js';
import { shortOrWhole } from './harness/torture.js';
import { until } from './harness/until.js';

/** Scenario 17: whatever dies at whichever statement, a merge and its undoing are before or after, never between. */
describe('A merge and its undoing, cut at each statement', () => {
  let database: Database;
  let proxy: CuttingProxy;
  let api: App;
  let operator: Http;
  let next = 0;

  const start = async (): Promise<void> => {
    api = await startApi({ databaseUrl: proxy.url });
    operator = http(api.url, operatorKey);
  };

  beforeAll(async () => {
    database = await freshDatabase();
    proxy = await startCuttingProxy(database.url);
    await start();
    ok(await operator.put('/v1/entities/acme', { name: 'Acme' }));
    ok(await operator.put('/v1/entities/acme/open-platforms/op1', { name: 'op1' }));
    for (const id of ['a1', 'a2'])
      ok(await operator.put(`/v1/entities/acme/apps/${id}`, { kind: 'mini_program', name: id, openPlatformId: 'op1' }));
  });
  afterAll(async () => {
    await api.stop();
    proxy.close();
    await database.drop();
  });

  const born = async (appId: string, unionId?: string): Promise<string> => {
    next += 1;
    const body = { appId, openId: `open-${next}-xyz`, ...(unionId === undefined ? {} : { unionId }) };
    return ok(await operator.post('/v1/identities/resolve', body)).body.user.id;
  };

  /** All that the tables say of the two. */
  const stateOf = async (...ids: string[]): Promise<Json> =>
    database.query(
      `SELECT u.id, u.status, u.version, u.merged_into, r.target_id,
        (SELECT count(*)::int FROM journal j WHERE j.user_id = u.id) AS steps,
        (SELECT count(*)::int FROM merge m WHERE u.id IN (m.source_user_id, m.target_user_id)) AS merges,
        (SELECT count(*)::int FROM separation s WHERE u.id IN (s.user_a, s.user_b)) AS separations,
        ARRAY(SELECT i.open_id FROM identity i WHERE i.user_id = u.id ORDER BY 1) AS open_ids,
        ARRAY(SELECT k.union_id FROM union_key k WHERE k.user_id = u.id) AS union_ids
      FROM users u LEFT JOIN redirect r ON r.user_id = u.id WHERE u.id = ANY ($1) ORDER BY u.id`,
      [ids],
    );

  interface Change {
    readonly ids: readonly string[];
    send(): Promise<Answer<Json>>;
  }

  const makeMerge = async (): Promise<Change> => {
    const [source, target] = [await born('a1', `union-${(next += 1)}`), await born('a2')];
    const options = { headers: { 'idempotency-key': `merge-${source}` } };
    const body = { targetUserId: target, sourceUserIds: [source], reason: 'spec' };
    return { ids: [source, target], send: () => operator.post('/v1/merges', body, options) };
  };
  const makeRevert = async (): Promise<Change> => {
    const merge = await makeMerge();
    const { mergeId } = ok(await merge.send()).body.results[0];
    const options = { headers: { 'idempotency-key': `revert-${mergeId}` } };
    return { ids: merge.ids, send: () => operator.post(`/v1/merges/${mergeId}/revert`, { reason: 'spec' }, options) };
  };

  /** A claim whose process died is taken over after half a minute; here that half minute is over at once. */
  const sendAgain = async (change: Change): Promise<Answer<Json>> => {
    await database.query(`UPDATE idempotency SET claimed_at = claimed_at - interval '1 minute' WHERE status IS NULL`);
    return change.send();
  };

  /** Answers the statement it was cut at; null: there are not so many. */
  const cutAt = async (
    make: () => Promise<Change>,
    at: { statement: number; when: 'before' | 'after' },
    dying: 'connection' | 'process',
  ): Promise<string | null> => {
    const change = await make();
    const before = await stateOf(...change.ids);
    proxy.arm({ ...at, ...(dying === 'process' ? { strike: () => api.kill() } : {}) });
    const answer = await change.send().catch(() => null);
    const cut = proxy.disarm();
    if (cut === null) {
      expect(answer?.status).toBe(200);
      return null;
    }
    if (answer !== null) expect([200, 503]).toContain(answer.status);
    if (dying === 'process') await start();
    const left = await stateOf(...change.ids);
    const again = await until(
      async () => {
        const one = await sendAgain(change);
        return one.status === 503 ? false : one;
      },
      { timeoutMs: 60_000, what: 'the change to be done' },
    );
    expect([cut, again.status]).toEqual([cut, 200]);
    const after = await stateOf(...change.ids);
    expect(after).not.toEqual(before);
    expect([cut, [before, after]]).toEqual([cut, expect.arrayContaining([left])]);
    const versions = after.map((user: Json) => [Number(user.version), user.steps]);
    for (const [version, steps] of versions) expect([cut, steps]).toEqual([cut, version]);
    return cut;
  };

  for (const [name, make] of [
    ['a merge', makeMerge],
    ['an undoing', makeRevert],
  ] as const)
    for (const when of ['before', 'after'] as const)
      it(`leave ${name} before or after when the connection dies ${when} any statement, and a retry ends it`, async () => {
        const statements: string[] = [];
        for (let statement = 1; ; statement += 1) {
          const cut = await cutAt(make, { statement, when }, 'connection');
          if (cut === null) break;
          statements.push(cut);
        }
        // From the lock to beyond the commit: were the count wrong, nothing would have been tried.
        expect(statements[0]).toMatch(/lock.and.load/);
        expect(statements.some((one) => /apply.changes/.test(one))).toBe(true);
        expect(statements.some((one) => /COMMIT/.test(one))).toBe(true);
        expect(await brokenInvariants(database)).toEqual([]);
      }, 180_000);

  it('are before or after when the process is killed, too', async () => {
    // The short form: the last statement of a merge before its commit is done and nobody has heard of it.
    const isWhole = shortOrWhole(0, 1) === 1;
    for (const make of isWhole ? [makeMerge, makeRevert] : [makeMerge])
      for (const when of isWhole ? (['before', 'after'] as const) : (['after'] as const))
        for (let statement = shortOrWhole(3, 1); ; statement += 1) {
          const cut = await cutAt(make, { statement, when }, 'process');
          if (cut === null || /COMMIT/.test(cut) || !isWhole) break;
        }
    expect(await brokenInvariants(database)).toEqual([]);
  }, 600_000);
});
