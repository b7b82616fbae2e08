import { type Acme, ok, startAcme } from './harness/acme.js';
import type { Json } from './harness/http.js';
import { until } from './harness/until.js';

/** Two API processes look; one notice comes all the same. */
describe('An app whose declared binding does not fit what comes from it', () => {
  let acme: Acme;
  let next = 0;
  const many = (count: number, prefix: string): string[] =>
    Array.from({ length: count }, () => `${prefix}${String((next += 1)).padStart(6, '0')}`);

  beforeAll(async () => {
    acme = await startAcme({ apis: 2 });
    for (const id of ['op3', 'op4', 'op5', 'op6'])
      ok(await acme.operator.put(`/v1/entities/acme/open-platforms/${id}`, { name: id }));
  });
  afterAll(() => acme.stop());

  const observe = async (appId: string, people: readonly { openId: string; unionId?: string }[]): Promise<void> => {
    const items = people.map((person) => ({ appId, ...person }));
    const { results } = ok(await acme.anyone().post('/v1/identities/resolve/batch', { items })).body;
    expect(results.filter(({ status }: Json) => status !== 'ok')).toEqual([]);
  };
  const noticesOf = async (appId: string): Promise<Json[]> => {
    const { body } = ok(await acme.operator.get('/v1/events?types=identity.AppBindingSuspected.v1&limit=200'));
    return body.items.filter((event: Json) => event.data.appId === appId);
  };
  const findingsOf = async (appId: string): Promise<string[]> => {
    const { body } = ok(await acme.operator.get(`/v1/apps/${appId}/diagnosis`));
    return body.findings.map(({ code }: Json) => code);
  };
  const announced = async (appId: string, findings: readonly string[]): Promise<Json[]> =>
    until(
      async () => {
        const notices = await noticesOf(appId);
        return notices.length >= findings.length ? notices : null;
      },
      { timeoutMs: 60_000, what: `notices about ${appId}` },
    ).then((notices) => {
      expect(notices.map(({ data }: Json) => data.finding)).toEqual(findings);
      return notices;
    });
  const isGone = (appId: string, finding: string): Promise<unknown> =>
    until(
      async () => {
        const sql = 'SELECT 1 FROM binding_suspicion WHERE app_id = $1 AND finding = $2';
        return (await acme.database.query(sql, [appId, finding])).length === 0;
      },
      { timeoutMs: 60_000, what: `the end of ${finding} of ${appId}` },
    );

  it('is announced when nobody has a unionId, once, and again only after it was gone', async () => {
    await acme.putApp('silent', 'op3');
    await observe(
      'silent',
      many(4, 'o').map((openId) => ({ openId })),
    );
    const [notice] = await announced('silent', ['suspected_unbound']);
    expect(notice).toMatchObject({
      entityid: 'acme',
      data: { userId: null, openPlatformId: 'op3', cause: 'automatic', detail: expect.stringContaining('none of') },
    });
    expect(notice).not.toHaveProperty('subject');
    const [openId = ''] = many(1, 'o');
    await observe('silent', [{ openId, unionId: 'uFirst' }]);
    await isGone('silent', 'suspected_unbound');
    expect(await findingsOf('silent')).toEqual([]);
    // A declared move starts anew: who came before it has no unionId of the new account yet, and that says nothing.
    await acme.putApp('silent', 'op4');
    await observe(
      'silent',
      many(3, 'o').map((id) => ({ openId: id })),
    );
    await announced('silent', ['suspected_unbound', 'suspected_unbound']);
  });

  it('is announced when many come with another unionId at once, until that is decided', async () => {
    await acme.putApp('moved', 'op5');
    const people = many(4, 'o').map((openId) => ({ openId, unionId: `uBefore${openId}` }));
    await observe('moved', people);
    await observe(
      'moved',
      people.slice(0, 3).map(({ openId }) => ({ openId, unionId: `uAfter${openId}` })),
    );
    await announced('moved', ['many_changed_union_ids']);
    expect(await findingsOf('moved')).toContain('many_changed_union_ids');
    const { items } = ok(await acme.operator.get('/v1/conflicts?status=open&limit=200')).body;
    const [conflict] = items.filter(({ appId }: Json) => appId === 'moved');
    ok(await acme.operator.post(`/v1/conflicts/${conflict.id}/resolve`, { decision: 'keep', reason: 'spec' }));
    await isGone('moved', 'many_changed_union_ids');
    expect(await noticesOf('moved')).toHaveLength(1);
  });

  it('is announced when its openIds begin like those of two apps', async () => {
    await acme.putApp('mixed', 'op5');
    await observe(
      'mixed',
      many(30, 'oAAAAA').map((openId) => ({ openId, unionId: `u${openId}` })),
    );
    await observe(
      'mixed',
      many(3, 'oZZZZZ').map((openId) => ({ openId, unionId: `u${openId}` })),
    );
    await announced('mixed', ['foreign_open_ids']);
    expect(await findingsOf('mixed')).toContain('foreign_open_ids');
  });

  it('is announced, with its sibling, when their people never meet; and not when they do', async () => {
    await acme.putApp('here', 'op6');
    await acme.putApp('there', 'op6');
    const people = many(30, 'o').map((openId) => ({ openId, unionId: `uHere${openId}` }));
    await observe('here', people);
    await observe(
      'there',
      many(30, 'o').map((openId) => ({ openId, unionId: `uThere${openId}` })),
    );
    await announced('here', ['union_ids_never_meet']);
    await announced('there', ['union_ids_never_meet']);
    await observe(
      'there',
      many(1, 'o').map((openId) => ({ openId, unionId: people[0]?.unionId ?? '' })),
    );
    await isGone('here', 'union_ids_never_meet');
    await isGone('there', 'union_ids_never_meet');
    expect(await findingsOf('here')).toEqual([]);
  });

  it('is none where the registry says that it is a test account', async () => {
    ok(
      await acme.operator.put('/v1/entities/acme/apps/testing', {
        kind: 'mini_program',
        name: 'testing',
        openPlatformId: 'op3',
        sandbox: true,
      }),
    );
    await observe(
      'testing',
      many(5, 'o').map((openId) => ({ openId })),
    );
    // Whoever came after it was looked at after it.
    await acme.putApp('witness', 'op3');
    await observe(
      'witness',
      many(3, 'o').map((openId) => ({ openId })),
    );
    await announced('witness', ['suspected_unbound']);
    expect(await noticesOf('testing')).toEqual([]);
  });
});
