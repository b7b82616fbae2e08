import { type Acme, ok, startAcme } from './harness/acme.js';
import type { Json } from './harness/http.js';
import { until } from './harness/until.js';

describe('Asking why', () => {
  let acme: Acme;
  let next = 0;
  const fresh = (letter: string): string => `${letter}${(next += 1)}-${'xyz'.repeat(3)}`;

  beforeAll(async () => {
    acme = await startAcme();
  });
  afterAll(() => acme.stop());

  const explain = async (a: string, b: string, language = 'en'): Promise<Json> =>
    ok(await acme.operator.get(`/v1/explain?a=${a}&b=${b}`, { headers: { 'accept-language': language } })).body;
  const imported = async (item: Json): Promise<void> => {
    const body = { kind: 'open_ids', entityId: 'acme', items: [item] };
    const { id } = ok(await acme.operator.post('/v1/imports', body)).body;
    await until(async () => (await acme.operator.get(`/v1/imports/${id}`)).body.status === 'done');
  };
  const codes = async (path: string): Promise<unknown[]> => {
    const { status, findings } = ok(await acme.operator.get(path)).body;
    return [status, findings.map(({ code }: Json) => code)];
  };

  it('tells why two identities are one person, oldest first, in both languages', async () => {
    const [o1, o2, u1] = [fresh('o'), fresh('o'), fresh('u')];
    await acme.resolved('a1', o1);
    await acme.resolved('a2', o2, u1);
    await acme.resolved('a1', o1, u1);
    const told = await explain(`a1:${o1}`, `a2:${o2}`);
    expect(told.samePerson).toBe(true);
    expect(told.chain.map(({ action, source }: Json) => [action, source])).toEqual([
      ['UserLinked', 'trusted_backend'],
      ['UserLinked', 'trusted_backend'],
      ['UserMerged', 'trusted_backend'],
    ]);
    expect(told.chain[2].detail).toMatch(/was folded into user .* by itself/);
    expect((await explain(`a1:${o1}`, `a2:${o2}`, 'zh-CN,en;q=0.5')).summary).toMatch(/是同一个人/);
  });

  it('tells why two identities are two people, and of nobody it does not know', async () => {
    const [o1, o2, u1] = [fresh('o'), fresh('o'), fresh('u')];
    await acme.resolved('a1', o1);
    await acme.resolved('a2', o2, u1);
    await acme.resolved('a1', o1, u1);
    const { body } = await acme.operator.get(`/v1/merges?limit=200`);
    ok(await acme.operator.post(`/v1/merges/${body.items.at(-1).id}/revert`, { reason: 'two sisters' }));
    const told = await explain(`a1:${o1}`, `a2:${o2}`);
    expect(told.samePerson).toBe(false);
    expect(told.chain.at(-1).detail).toMatch(/two sisters/);
    expect((await acme.operator.get(`/v1/explain?a=a1:${o1}&b=a1:${fresh('o')}`)).status).toBe(404);
    expect((await acme.operator.get('/v1/explain?a=nonsense&b=a1:o1')).status).toBe(400);
  });

  it('tells what stands between two people: a decision, under whatever ids it was taken, and open conflicts', async () => {
    const [o1, o2, o3] = [fresh('o'), fresh('o'), fresh('o')];
    const [one, other, third] = [
      await acme.resolved('a1', o1, fresh('u')),
      await acme.resolved('a2', o2),
      await acme.resolved('a3', o3),
    ];
    const between = async (language?: string): Promise<Json> => explain(`a1:${o1}`, `a2:${o2}`, language);
    expect((await between()).summary).toMatch(/^Two people, as far as is known/);
    const separation = { userIds: [one.user.id, third.user.id], reason: 'a family phone' };
    ok(await acme.operator.put('/v1/separations', separation));
    expect((await between()).chain.map(({ action }: Json) => action)).toEqual(['UserLinked', 'UserLinked']);
    const request = { targetUserId: other.user.id, sourceUserIds: [third.user.id], reason: 'spec' };
    ok(await acme.operator.post('/v1/merges', request));
    await acme.resolved('a1', o1, fresh('u'));
    const told = await between();
    expect(told).toMatchObject({ samePerson: false, summary: expect.stringMatching(/^Two people, by decision/) });
    expect(told.chain.slice(-2).map(({ action, detail }: Json) => [action, detail])).toEqual([
      ['UserMerged', expect.any(String)],
      ['ConflictOpened', expect.stringMatching(/^a conflict is open: different_union_id, seen 1 times/)],
    ]);
    const decision = told.chain.find(({ action }: Json) => action === 'Separated');
    expect(decision).toMatchObject({ source: expect.any(String), detail: expect.stringContaining('a family phone') });
    expect(decision.detail).toContain(third.user.id);
    expect((await between('zh')).summary).toContain('已决定分开');
  });

  it('follows an identity through every user that held it, and leaves out what happened to others of them', async () => {
    const [o1, o2, o3, o4] = [fresh('o'), fresh('o'), fresh('o'), fresh('o')];
    const [first, target, stranger] = [
      await acme.resolved('a1', o1),
      await acme.resolved('a2', o2),
      await acme.resolved('a3', o3),
    ];
    const request = { targetUserId: target.user.id, sourceUserIds: [first.user.id, stranger.user.id], reason: 'spec' };
    ok(await acme.operator.post('/v1/merges', request));
    ok(await acme.operator.delete(`/v1/identities/a1/${o1}?reason=wrong`));
    await acme.resolved('a1', o1);
    const asked = { oldAppId: 'a1', oldOpenId: o1, newAppId: 'a3', newOpenId: o4 };
    await imported(asked);
    const told = await explain(`a1:${o1}`, `a3:${o4}`);
    expect(told.samePerson).toBe(true);
    expect(told.chain.map(({ action }: Json) => action)).toEqual([
      'UserLinked',
      'UserMerged',
      'UserUnlinked',
      'UserLinked',
      'IdentityRekeyed',
    ]);
    expect(told.chain[1].detail).toContain(first.user.id);
    expect((await explain(`a3:${o4}`, `a2:${o2}`)).chain.map(({ action }: Json) => action)).toEqual([
      'UserLinked',
      'UserLinked',
      'UserMerged',
      'UserUnlinked',
      'UserLinked',
      'IdentityRekeyed',
    ]);
  });

  it('says why there is no unionId, for one person and for a whole app', async () => {
    const [unbound, o1] = [fresh('c'), fresh('o')];
    await acme.putApp(unbound, null);
    await acme.resolved(unbound, o1, fresh('u'));
    expect(await codes(`/v1/identities/${unbound}/${o1}/diagnosis`)).toEqual(['no_union_id', ['app_unbound']]);
    expect(await codes(`/v1/apps/${unbound}/diagnosis`)).toEqual(['no_union_id', ['app_unbound']]);

    const silent = fresh('c');
    await acme.putApp(silent, 'op1');
    const people = [fresh('o'), fresh('o'), fresh('o')];
    for (const openId of people) await acme.resolved(silent, openId);
    expect(await codes(`/v1/identities/${silent}/${people[0]}/diagnosis`)).toEqual([
      'no_union_id',
      ['suspected_unbound'],
    ]);
    const { body } = await acme.operator.get(`/v1/apps/${silent}/diagnosis`);
    expect(body.counts).toMatchObject({ identities: 3, withUnionId: 0, withoutUnionId: 3 });

    const good = fresh('o');
    await acme.resolved(silent, good, fresh('u'));
    expect(await codes(`/v1/identities/${silent}/${good}/diagnosis`)).toEqual(['ok', []]);
    expect(await codes(`/v1/identities/${silent}/${people[0]}/diagnosis`)).toEqual(['no_union_id', ['unexplained']]);
    await acme.resolved(silent, good, fresh('u'));
    expect(await codes(`/v1/identities/${silent}/${good}/diagnosis`)).toEqual(['finding', ['different_union_id']]);
    expect((await acme.operator.get(`/v1/identities/${silent}/nobody/diagnosis`)).body.code).toBe('identity_not_found');
    expect((await acme.operator.get('/v1/apps/nowhere/diagnosis')).body.code).toBe('app_not_found');
  });

  it('counts users, coverage by app, merges and conflicts', async () => {
    const { body } = ok(await acme.operator.get('/v1/stats'));
    expect(body.users.live).toBeGreaterThan(0);
    expect(body.users.provisional).toBeLessThan(body.users.live);
    expect(body.merges.reverted).toBe(1);
    expect(body.openConflicts).toBe(2);
    expect(body.apps.find(({ appId }: Json) => appId === 'a4')).toEqual({ appId: 'a4', identities: 0, withUnionId: 0 });
    expect(body.publishLag.events).toBeGreaterThan(0);
  });

  it('takes answers about a merge first, then about its undoing', async () => {
    ok(await acme.operator.put('/v1/participants/shop', { entityId: 'acme', acknowledges: ['merge', 'erasure'] }));
    const [a, b] = [await acme.resolved('a1', fresh('o')), await acme.resolved('a2', fresh('o'))];
    const request = { targetUserId: b.user.id, sourceUserIds: [a.user.id], reason: 'spec' };
    const { mergeId } = ok(await acme.operator.post('/v1/merges', request)).body.results[0];
    ok(await acme.operator.post(`/v1/merges/${mergeId}/revert`, { reason: 'spec' }));
    const states = async (path: string): Promise<unknown[]> =>
      (await acme.operator.get(path)).body.acknowledgements.map(({ kind, status }: Json) => [kind, status]);
    const answer = { participant: 'shop', status: 'done' };
    ok(await acme.operator.post(`/v1/merges/${mergeId}/acknowledgements`, answer));
    expect(await states(`/v1/merges/${mergeId}`)).toEqual([
      ['merge', 'done'],
      ['revert', 'pending'],
    ]);
    ok(await acme.operator.post(`/v1/merges/${mergeId}/acknowledgements`, answer));
    expect((await states(`/v1/merges/${mergeId}`))[1]).toEqual(['revert', 'done']);
    const { erasureId } = ok(await acme.operator.delete(`/v1/users/${a.user.id}`)).body;
    ok(await acme.operator.post(`/v1/erasures/${erasureId}/acknowledgements`, answer));
    expect(await states(`/v1/erasures/${erasureId}`)).toEqual([['erasure', 'done']]);
  });

  it('tells how users, identities and redirects were at a moment', async () => {
    const [o1, o2] = [fresh('o'), fresh('o')];
    const moments: string[] = [];
    const remember = async (): Promise<void> => {
      const [row] = await acme.database.query<{ now: Date }>('SELECT clock_timestamp() AS now');
      moments.push(row?.now.toISOString() ?? '');
      // Times are told to the millisecond: what comes next is to be later.
      await acme.database.query(`SELECT pg_sleep(0.005)`);
    };
    await remember();
    const a = (await acme.resolved('a1', o1)).user.id;
    const b = (await acme.resolved('a2', o2)).user.id;
    await remember();
    const request = { targetUserId: b, sourceUserIds: [a], reason: 'spec' };
    const { mergeId } = ok(await acme.operator.post('/v1/merges', request)).body.results[0];
    await remember();
    ok(await acme.operator.delete(`/v1/identities/a1/${o1}?reason=spec`));
    await remember();
    const c = (await acme.resolved('a3', fresh('o'))).user.id;
    ok(await acme.operator.post('/v1/identities', { appId: 'a1', openId: o1, userId: c, reason: 'spec' }));
    ok(await acme.operator.post(`/v1/merges/${mergeId}/revert`, { reason: 'spec' }));
    await remember();

    const ownerAt = async (at?: string): Promise<unknown> => {
      const { status, body } = await acme.operator.get(`/v1/identities/a1/${o1}?asOf=${at}`);
      return status === 200 ? [body.user.id, body.user.version, body.identity.openId] : body.code;
    };
    const owners = [];
    for (const moment of moments) owners.push(await ownerAt(moment));
    expect(owners).toEqual(['identity_not_found', [a, 1, o1], [b, 2, o1], 'identity_not_found', [c, 2, o1]]);

    const ledAt = async (at?: string): Promise<unknown> => {
      const { results } = ok(await acme.operator.post(`/v1/users/lookup?asOf=${at}`, { ids: [a, b] })).body;
      return results.map(({ status, userId }: Json) => `${status} ${userId}`);
    };
    expect(await ledAt(moments[0])).toEqual(['unknown null', 'unknown null']);
    expect(await ledAt(moments[1])).toEqual([`live ${a}`, `live ${b}`]);
    expect(await ledAt(moments[2])).toEqual([`merged ${b}`, `live ${b}`]);
    expect(await ledAt(moments[4])).toEqual([`live ${a}`, `live ${b}`]);

    const then = ok(await acme.operator.get(`/v1/users/${a}?asOf=${moments[2]}`)).body;
    expect(then).toMatchObject({ id: a, status: 'merged', mergedInto: b, version: 2, identities: [] });
    expect((await acme.operator.get(`/v1/users/${a}?asOf=${moments[0]}`)).body.code).toBe('user_not_found');
    expect((await acme.operator.get(`/v1/users/${a}?asOf=yesterday`)).status).toBe(400);

    ok(await acme.operator.delete(`/v1/users/${b}?reason=spec`));
    expect(await ledAt(moments[2])).toEqual(['erased null', 'erased null']);
    expect(await ownerAt(moments[2])).toBe('identity_not_found');
  });
});
