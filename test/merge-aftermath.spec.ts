import { type Acme, brokenInvariants, ok, startAcme } from './harness/acme.js';
import type { Answer, Json } from './harness/http.js';

/** What holds after changes that follow each other: found by the model (test/model), kept here by name. */
describe('After a change', () => {
  let acme: Acme;
  let next = 0;
  const fresh = (letter: string): string => `${letter}${(next += 1)}-${'xyz'.repeat(3)}`;

  beforeAll(async () => {
    acme = await startAcme({ env: { IDENTITIES_PER_USER_PER_HOUR_MAX: '4' } });
  });
  afterEach(async () => {
    const broken = await brokenInvariants(acme.database);
    if (broken.length > 0) throw new Error(`broken: ${JSON.stringify(broken)}`);
  });
  afterAll(() => acme.stop());

  const born = async (app: string, unionId?: string): Promise<{ id: string; openId: string }> => {
    const openId = fresh('o');
    return { id: (await acme.resolved(app, openId, unionId)).user.id, openId };
  };
  const merge = (target: string, sources: string[], more: object = {}): Promise<Answer<Json>> =>
    acme.operator.post('/v1/merges', { targetUserId: target, sourceUserIds: sources, reason: 'spec', ...more });
  const merged = async (source: string, target: string, more: object = {}): Promise<string> =>
    ok(await merge(target, [source], more)).body.results[0].mergeId;
  const revert = (mergeId: string): Promise<Answer<Json>> =>
    acme.operator.post(`/v1/merges/${mergeId}/revert`, { reason: 'spec' });
  const separate = async (...userIds: string[]): Promise<void> => {
    ok(await acme.operator.put('/v1/separations', { userIds, reason: 'spec' }));
  };
  const conflict = async (id: string | null): Promise<Json> => (await acme.operator.get(`/v1/conflicts/${id}`)).body;

  it('one request does not fold two separated users into the same third', async () => {
    for (const mode of ['each', 'all']) {
      const [a, b, c] = [await born('a1'), await born('a2'), await born('a3')];
      await separate(a.id, b.id);
      const { status, body } = await merge(c.id, [a.id, b.id], { mode });
      expect([mode, status]).toEqual([mode, mode === 'each' ? 200 : 409]);
      expect(body.results.map(({ outcome, code }: Json) => [outcome, code])).toEqual([
        mode === 'each' ? ['merged', undefined] : ['refused', 'not_attempted'],
        ['refused', 'separated'],
      ]);
      expect((await acme.user(b.id)).body.id).toBe(b.id);
    }
  });

  it('two observations that come together do not join two separated users', async () => {
    const unionId = fresh('u');
    const [a, b, c] = [await born('a1'), await born('a2'), await born('a3', unionId)];
    await separate(a.id, b.id);
    const items = [
      { appId: 'a1', openId: a.openId, unionId },
      { appId: 'a2', openId: b.openId, unionId },
    ];
    const { body } = ok(await acme.operator.post('/v1/identities/resolve/batch', { items }));
    expect(body.results.map(({ outcome }: Json) => outcome)).toEqual(['merged', 'conflict']);
    expect((await acme.user(a.id)).body.id).toBe(c.id);
    expect((await acme.user(b.id)).body.id).toBe(b.id);
  });

  it('an erasure leaves alone what the erased user had lost to somebody who lives', async () => {
    const unionId = fresh('u');
    const [x, y] = [await born('a1', unionId), await born('a4')];
    const [o2, o3] = [fresh('o'), fresh('o')];
    await acme.resolved('a2', o2, unionId);
    await acme.resolved('a3', o3, unionId);
    const split = { identities: [{ appId: 'a2', openId: o2 }], reason: 'spec' };
    const kept = ok(await acme.operator.post(`/v1/users/${x.id}/split`, split)).body;
    ok(await revert(await merged(y.id, x.id)));
    ok(await acme.operator.delete(`/v1/users/${x.id}?reason=spec`));
    for (const [id, openId] of [
      [kept.id, o2],
      [y.id, y.openId],
    ]) {
      const { body } = ok(await acme.operator.get(`/v1/users/${id}/history`));
      expect(body.items[0].after.identities).toEqual([expect.objectContaining({ openId })]);
    }
    const feed = await acme.database.query(`SELECT 1 FROM journal WHERE data::text LIKE '%${o3}%'`);
    expect(feed).toEqual([]);
  });

  it('an erasure also takes the unionId out of what contradicted it', async () => {
    const [x, unionId] = [await born('a1', fresh('u')), fresh('u')];
    const { conflictId } = await acme.resolved('a1', x.openId, unionId);
    const owner = await born('a2', unionId);
    ok(await acme.operator.delete(`/v1/users/${owner.id}?reason=spec`));
    expect(await conflict(conflictId)).toMatchObject({ status: 'resolved', unionId: '' });
  });

  it('a merge of somebody who was erased is not undone, however long the chain', async () => {
    const [a, b, c] = [await born('a1'), await born('a2'), await born('a3')];
    const first = await merged(a.id, b.id);
    const last = await merged(b.id, c.id);
    ok(await acme.operator.delete(`/v1/users/${c.id}?reason=spec`));
    for (const mergeId of [first, last]) {
      const { status, body } = await revert(mergeId);
      expect([status, body.status, body.code]).toEqual([409, 409, 'user_erased']);
    }
  });

  it('an open conflict is between whoever owns its identity and its unionId now', async () => {
    const [x, unionId] = [await born('a1', fresh('u')), fresh('u')];
    const [k, other] = [await born('a2', unionId), await born('a3')];
    const { conflictId } = await acme.resolved('a1', x.openId, unionId);
    const mergeId = await merged(x.id, other.id);
    expect((await conflict(conflictId)).userIds).toEqual([other.id, k.id]);
    ok(await revert(mergeId));
    const { id: separationId } = await separationOf(x.id, other.id);
    expect((await conflict(conflictId)).userIds).toEqual([x.id, k.id]);
    await merged(other.id, k.id);
    expect(await conflict(conflictId)).toMatchObject({ status: 'open', userIds: [x.id, k.id] });
    ok(await acme.operator.delete(`/v1/separations/${separationId}`));
    await merged(x.id, k.id, { allowDifferentUnionIds: true });
    expect(await conflict(conflictId)).toMatchObject({ status: 'resolved', decision: 'overtaken' });
  });

  it('a user who gathers identities too fast is held for review, and logins go on', async () => {
    const [unionId, first] = [fresh('u'), fresh('o')];
    for (const app of ['b1', 'b2', 'b3']) await acme.putApp(app, 'op1');
    const owner = (await acme.resolved('a1', first, unionId)).user.id;
    for (const app of ['a2', 'a3', 'a4'])
      expect((await acme.resolved(app, fresh('o'), unionId)).outcome).toBe('linked');
    const openId = fresh('o');
    const held = await acme.resolved('b1', openId, unionId);
    expect([held.outcome, held.user.id === owner]).toEqual(['conflict', false]);
    expect(await acme.resolved('b1', openId, unionId)).toMatchObject({ ...held, user: { id: held.user.id } });
    expect(await acme.resolved('a1', first, unionId)).toMatchObject({ outcome: 'unchanged', user: { id: owner } });
    const open = { status: 'open', kind: 'too_many_identities', count: 2, userIds: [held.user.id, owner] };
    expect(await conflict(held.conflictId)).toMatchObject({ ...open, likelyCause: expect.stringMatching(/an hour/) });
    // An hour later it is still held, until somebody has decided.
    await acme.database.query(`UPDATE identity SET linked_at = linked_at - interval '2 hours'`);
    const other = await acme.resolved('b2', fresh('o'), unionId);
    expect(other.outcome).toBe('conflict');
    const decide = async (id: string | null, decision: string): Promise<void> => {
      ok(await acme.operator.post(`/v1/conflicts/${id}/resolve`, { decision, reason: 'spec' }));
    };
    await decide(held.conflictId, 'merge');
    expect((await acme.user(held.user.id)).body.id).toBe(owner);
    await decide(other.conflictId, 'keep');
    expect(await acme.resolved('b3', fresh('o'), unionId)).toMatchObject({ outcome: 'linked', user: { id: owner } });
  });

  const separationOf = async (...userIds: string[]): Promise<Json> =>
    (await acme.operator.put('/v1/separations', { userIds, reason: 'spec' })).body;
});
