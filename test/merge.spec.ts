import { type Acme, brokenInvariants, ok, startAcme } from './harness/acme.js';
import type { Answer, Http, Json } from './harness/http.js';
import { randomOf } from './harness/random.js';
import { counted, shortOrWhole } from './harness/torture.js';

/** Scenarios 12–16, 20–24, 28 and 29 with their neighbours, over two API processes. */
describe('Changes by hand', () => {
  let acme: Acme;
  let next = 0;
  const fresh = (letter: string): string => `${letter}${(next += 1)}-${'xyz'.repeat(3)}`;

  beforeAll(async () => {
    acme = await startAcme({ apis: 2 });
  });
  afterEach(async () => {
    const broken = await brokenInvariants(acme.database);
    if (broken.length > 0) throw new Error(`broken: ${JSON.stringify(broken)}`);
  });
  afterAll(() => acme.stop());

  const born = async (app = 'a1', unionId?: string): Promise<{ id: string; openId: string }> => {
    const openId = fresh('o');
    return { id: (await acme.resolved(app, openId, unionId)).user.id, openId };
  };
  const merge = (target: string, sources: string[], more: object = {}): Promise<Answer<Json>> =>
    acme.anyone().post('/v1/merges', { targetUserId: target, sourceUserIds: sources, reason: 'spec', ...more });
  const merged = async (source: string, target: string, more: object = {}): Promise<string> => {
    const { body } = ok(await merge(target, [source], more));
    expect(body.results[0]).toMatchObject({ outcome: 'merged', mergedInto: target });
    return body.results[0].mergeId;
  };
  const revert = (mergeId: string): Promise<Answer<Json>> =>
    acme.anyone().post(`/v1/merges/${mergeId}/revert`, { reason: 'spec' });
  const separate = (...userIds: string[]): Promise<Answer<Json>> =>
    acme.operator.put('/v1/separations', { userIds, reason: 'spec' });
  const stateOf = async (id: string): Promise<Json> => (await acme.user(id)).body;

  it('answers an id at the end of a chain of merges in one hop', async () => {
    const [a, b, c] = [await born(), await born('a2'), await born('a3')];
    await merged(a.id, b.id);
    await merged(b.id, c.id);
    expect(await stateOf(a.id)).toMatchObject({ id: c.id, requestedUserId: a.id, status: 'live' });
    const { body } = await acme.operator.post('/v1/users/lookup', { ids: [a.id, b.id, c.id] });
    expect(body.results.map(({ status, userId }: Json) => [status, userId])).toEqual([
      ['merged', c.id],
      ['merged', c.id],
      ['live', c.id],
    ]);
  });

  it('lets exactly one of two opposing merges win, with no deadlock for a caller', async () => {
    // The whole of it: 1,000 pairs.
    for (let round = 0; round < shortOrWhole(10, 50); round += 1)
      await Promise.all(
        Array.from({ length: 20 }, async () => {
          const [a, b] = await Promise.all([born(), born('a2')]);
          const answers = await Promise.all([merge(b.id, [a.id]), merge(a.id, [b.id])]);
          const won = answers.filter(({ status, body }) => status === 200 && body.results[0].outcome === 'merged');
          expect(won).toHaveLength(1);
          expect(answers.every(({ status }) => status === 200 || status === 409)).toBe(true);
          expect((await stateOf(a.id)).id).toBe((await stateOf(b.id)).id);
        }),
      );
  }, 120_000);

  it('answers sixteen workers that merge thirty hot users in opposing directions, each by the rules', async () => {
    const random = randomOf(7);
    const below = (count: number): number => Math.floor(random() * count);
    const hot = (await Promise.all(Array.from({ length: 30 }, () => born('a2')))).map(({ id }) => id);
    const outcomes = new Set<string>();
    let merges = 0;
    const worker = async (): Promise<void> => {
      for (let n = 0; n < shortOrWhole(12, 400); n += 1) {
        const at = below(30);
        const [source = '', target = ''] = [hot[at], hot[(at + 1 + below(29)) % 30]];
        const { status, body } = await merge(target, [source]);
        const [result] = body.results ?? [];
        outcomes.add(status === 200 ? `${result.outcome} ${result.code ?? ''}`.trim() : `${status} ${body.code}`);
        if (result?.outcome !== 'merged') continue;
        merges += 1;
        // Somebody new takes the place, so that there are thirty to the end.
        hot[at] = (await born('a1')).id;
      }
    };
    await Promise.all(Array.from({ length: 16 }, worker));
    expect(merges).toBeGreaterThan(30);
    // In the long form a user gathers as many identities as one may hold.
    const expected = [
      'merged',
      'already_merged',
      'refused user_merged',
      '409 user_merged',
      'refused too_many_identities',
    ];
    expect(expected).toEqual(expect.arrayContaining([...outcomes]));
    const { results } = (await acme.operator.post('/v1/users/lookup', { ids: hot })).body;
    expect(results.map(({ status }: Json) => status)).toEqual(hot.map(() => 'live'));
  }, 600_000);

  it('takes fifty merges into one target at once', async () => {
    const target = await born();
    const sources = await Promise.all(Array.from({ length: 50 }, () => born('a2')));
    const answers = await Promise.all(sources.map(({ id }) => merge(target.id, [id])));
    expect(answers.every(({ status, body }) => status === 200 && body.results[0].outcome === 'merged')).toBe(true);
    const state = await stateOf(target.id);
    expect(state.version).toBe(51);
    expect(state.identities).toHaveLength(51);
  });

  it('keeps answering others while a crowd waits for one user', async () => {
    const target = await born();
    const sources = await Promise.all(Array.from({ length: 200 }, () => born('a2')));
    const crowd = Promise.all(sources.map(({ id }) => merge(target.id, [id])));
    const others = await Promise.all(Array.from({ length: 100 }, () => acme.login('a3', fresh('o'), fresh('u'))));
    expect(new Set(others.map(({ status }) => status))).toEqual(new Set([200]));
    expect((await acme.anyone().get('/v1/users?limit=1')).status).toBe(200);
    expect(new Set((await crowd).map(({ status }) => status))).toEqual(new Set([200]));
  }, 120_000);

  it('answers a login with A or B while A is merged into B, and only with B afterwards', async () => {
    let [before, after] = [0, 0];
    for (let round = 0; round < shortOrWhole(3, 100); round += 1) {
      const unionId = fresh('u');
      const [a, b] = [await born('a1', unionId), await born('a2')];
      let isMerged = false;
      const logins = async (): Promise<void> => {
        for (let left = 10; left > 0; left -= isMerged ? 1 : 0) {
          const wasMerged = isMerged;
          const { user } = await acme.resolved('a1', a.openId, unionId);
          expect(wasMerged ? [b.id] : [a.id, b.id]).toContain(user.id);
          if (user.id === a.id) before += 1;
          else after += 1;
        }
      };
      const running = Promise.all(Array.from({ length: 8 }, logins));
      await merged(a.id, b.id);
      isMerged = true;
      await running;
    }
    // Were there no logins before the merge, nothing would have raced it.
    expect(before).toBeGreaterThan(0);
    counted('logins during a merge', { before, after });
  }, 300_000);

  it('needs an override for users with different unionIds, and names both', async () => {
    const [u1, u2] = [fresh('u'), fresh('u')];
    const [a, b] = [await born('a1', u1), await born('a2', u2)];
    const { body } = await merge(b.id, [a.id]);
    expect(body.results[0]).toMatchObject({
      outcome: 'refused',
      code: 'different_union_ids',
      unionIds: [{ openPlatformId: 'op1', source: [u1], target: [u2] }],
    });
    await merged(a.id, b.id, { allowDifferentUnionIds: true });
    expect((await acme.resolved('a3', fresh('o'), u1)).user.id).toBe(b.id);
    expect((await acme.resolved('a4', fresh('o'), u2)).user.id).toBe(b.id);
  });

  it('refuses what is wrong, source by source, or as a whole', async () => {
    const [a, b, c] = [await born(), await born('a2'), await born('a3')];
    const nobody = '01900000-0000-7000-8000-000000000000';
    await merged(c.id, a.id);
    const each = await merge(b.id, [a.id, c.id, nobody], { mode: 'all' });
    expect([each.status, each.body.code]).toEqual([409, 'merge_refused']);
    expect(each.body.results.map(({ code }: Json) => code)).toEqual([
      'not_attempted',
      'not_attempted',
      'user_not_found',
    ]);
    expect((await stateOf(a.id)).id).toBe(a.id);
    const both = await merge(b.id, [a.id, c.id]);
    expect(both.body.results.map(({ outcome }: Json) => outcome)).toEqual(['merged', 'already_merged']);
    expect((await merge(a.id, [b.id])).body).toMatchObject({ code: 'user_merged', mergedInto: b.id });
    expect((await merge(nobody, [b.id])).body.code).toBe('user_not_found');
    for (const sources of [[], [b.id], [c.id, c.id]]) expect((await merge(b.id, sources)).status).toBe(400);
  });

  it('shows a merge before it is made, and refuses the token once the world changed', async () => {
    const [a, b] = [await born(), await born('a2', fresh('u'))];
    const request = { targetUserId: b.id, sourceUserIds: [a.id] };
    const { body: preview } = ok(await acme.operator.post('/v1/merges/preview', request));
    expect(preview.results).toEqual([expect.objectContaining({ outcome: 'would_merge', identities: 1 })]);
    expect((await stateOf(a.id)).id).toBe(a.id);
    await acme.resolved('a1', a.openId, fresh('u'));
    const stale = await merge(b.id, [a.id], { previewToken: preview.previewToken });
    expect([stale.status, stale.body.code]).toEqual([409, 'preview_stale']);
  });

  it('waits for another key’s approval, and is stale once a user changed', async () => {
    const keyOf = async (name: string): Promise<Http> =>
      acme.operator.as(
        ok(await acme.operator.post('/v1/api-keys', { entityId: 'acme', name, scopes: ['merge', 'read'] })).body.key,
      );
    const [asking, deciding] = [await keyOf('asking'), await keyOf('deciding')];
    const ask = async (): Promise<{ mergeId: string; a: string; openId: string; b: string }> => {
      const [a, b] = [await born(), await born('a2')];
      const { body } = await asking.post('/v1/merges', {
        targetUserId: b.id,
        sourceUserIds: [a.id],
        reason: 'spec',
        requireApproval: true,
      });
      expect(body.results[0].outcome).toBe('pending_approval');
      expect((await stateOf(a.id)).id).toBe(a.id);
      return { mergeId: body.results[0].mergeId, a: a.id, openId: a.openId, b: b.id };
    };
    const first = await ask();
    const own = await asking.post(`/v1/merges/${first.mergeId}/approve`, {});
    expect([own.status, own.body.code]).toEqual([403, 'same_requester']);
    expect((await deciding.post(`/v1/merges/${first.mergeId}/approve`, {})).body.status).toBe('merged');
    expect((await stateOf(first.a)).id).toBe(first.b);
    expect((await deciding.post(`/v1/merges/${first.mergeId}/approve`, {})).body.code).toBe('merge_stale');

    const second = await ask();
    await acme.resolved('a1', second.openId, fresh('u'));
    expect((await deciding.post(`/v1/merges/${second.mergeId}/approve`, {})).body.code).toBe('merge_stale');
    expect((await deciding.get(`/v1/merges/${second.mergeId}`)).body.status).toBe('stale');

    const third = await ask();
    expect((await deciding.post(`/v1/merges/${third.mergeId}/reject`, {})).body.status).toBe('rejected');
  });

  it('undoes a merge, and does not make it again from the evidence that caused it', async () => {
    const unionId = fresh('u');
    const [a, b] = [await born('a1'), await born('a2', unionId)];
    const [before, beforeB] = [await stateOf(a.id), await stateOf(b.id)];
    const { outcome } = await acme.resolved('a1', a.openId, unionId);
    expect(outcome).toBe('merged');
    const { body } = await acme.operator.get(`/v1/merges?userId=${a.id}`);
    const [{ id: mergeId, automatic }] = body.items;
    expect(automatic).toBe(true);
    expect((await revert(mergeId)).body).toMatchObject({ outcome: 'reverted', sourceUserId: a.id });
    expect((await revert(mergeId)).body).toMatchObject({ outcome: 'already_reverted' });
    expect(await stateOf(a.id)).toEqual({ ...before, version: 3 });
    expect(await stateOf(b.id)).toEqual({ ...beforeB, version: 3 });
    for (let n = 0; n < 3; n += 1)
      expect(await acme.resolved('a1', a.openId, unionId)).toMatchObject({ outcome: 'conflict', user: { id: a.id } });
    const conflicts = await acme.database.query(
      `SELECT kind, count::int AS count FROM conflict WHERE open_id = '${a.openId}'`,
    );
    expect(conflicts).toEqual([{ kind: 'separated', count: 3 }]);
  });

  it('makes one merge of twenty requests at once with one Idempotency-Key, and no other by that key', async () => {
    for (let round = 0; round < shortOrWhole(2, 50); round += 1) {
      const [a, b, c] = [await born(), await born('a2'), await born('a3')];
      const headers = { 'idempotency-key': fresh('key') };
      const ask = (source: string): Promise<Answer<Json>> =>
        acme.anyone().post('/v1/merges', { targetUserId: b.id, sourceUserIds: [source], reason: 'spec' }, { headers });
      const answers = await Promise.all(Array.from({ length: 20 }, () => ask(a.id)));
      expect(new Set(answers.map(({ status, body }) => JSON.stringify([status, body]))).size).toBe(1);
      expect(answers[0]).toMatchObject({ status: 200, body: { results: [{ outcome: 'merged' }] } });
      expect(answers.filter((answer) => answer.headers.get('idempotency-replayed') === 'true')).toHaveLength(19);
      for (let n = 0; n < 2; n += 1)
        expect(await ask(c.id)).toMatchObject({ status: 422, body: { code: 'idempotency_key_reused' } });
      expect([(await stateOf(b.id)).version, (await stateOf(c.id)).id]).toEqual([2, c.id]);
    }
  }, 120_000);

  it('gives both back what was theirs, and tells it on both keys', async () => {
    const unionId = fresh('u');
    const [a, b] = [await born('a1', unionId), await born('a3')];
    await acme.resolved('a2', fresh('o'), unionId);
    const [beforeA, beforeB] = [await stateOf(a.id), await stateOf(b.id)];
    expect((await revert(await merged(a.id, b.id))).status).toBe(200);
    expect(await stateOf(a.id)).toEqual({ ...beforeA, version: beforeA.version + 2 });
    expect(await stateOf(b.id)).toEqual({ ...beforeB, version: beforeB.version + 2 });
    const told = async (id: string): Promise<string[]> =>
      (await acme.operator.get(`/v1/users/${id}/history?limit=2`)).body.items.map(({ action }: Json) => action);
    expect([await told(a.id), await told(b.id)]).toEqual([
      ['UserRestored', 'UserRedirected'],
      ['MergeReverted', 'UserMerged'],
    ]);
  });

  it('undoes merges of a chain only from its end', async () => {
    const [a, b, c] = [await born(), await born('a2'), await born('a3')];
    const m1 = await merged(a.id, b.id);
    const m2 = await merged(b.id, c.id);
    const blocked = await revert(m1);
    expect([blocked.status, blocked.body.code, blocked.body.blockingMergeId]).toEqual([409, 'merge_superseded', m2]);
    expect((await revert(m2)).status).toBe(200);
    expect((await stateOf(a.id)).id).toBe(b.id);
    expect((await revert(m1)).status).toBe(200);
    for (const one of [a, b, c]) {
      const state = await stateOf(one.id);
      expect([state.id, state.identities.length]).toEqual([one.id, 1]);
    }
  });

  it('gives back with a key what was linked through it since, and leaves the rest', async () => {
    const unionId = fresh('u');
    const [a, b] = [await born('a1', unionId), await born('a2')];
    const mergeId = await merged(a.id, b.id);
    const [through, byHand] = [fresh('o'), fresh('o')];
    expect((await acme.resolved('a3', through, unionId)).user.id).toBe(b.id);
    ok(await acme.operator.post('/v1/identities', { appId: 'a4', openId: byHand, userId: b.id, reason: 'spec' }));
    ok(await acme.operator.delete(`/v1/identities/a1/${a.openId}?reason=spec`));
    expect((await revert(mergeId)).status).toBe(200);
    expect((await stateOf(a.id)).identities.map(({ openId }: Json) => openId)).toEqual([through]);
    expect((await stateOf(b.id)).identities.map(({ openId }: Json) => openId).toSorted()).toEqual(
      [b.openId, byHand].toSorted(),
    );
  });

  it('splits identities off into a new user that does not glue back', async () => {
    const unionId = fresh('u');
    const x = await born('a1', unionId);
    const [o2, o3] = [fresh('o'), fresh('o')];
    await acme.resolved('a2', o2, unionId);
    await acme.resolved('a3', o3, unionId);
    const split = (identities: object[]): Promise<Answer<Json>> =>
      acme.operator.post(`/v1/users/${x.id}/split`, { identities, reason: 'spec' });
    const { status, body } = await split([{ appId: 'a1', openId: x.openId }]);
    expect(status).toBe(201);
    expect(body.identities).toEqual([expect.objectContaining({ openId: x.openId })]);
    expect(await acme.resolved('a1', x.openId, unionId)).toMatchObject({ outcome: 'conflict', user: { id: body.id } });
    const all = await split([
      { appId: 'a2', openId: o2 },
      { appId: 'a3', openId: o3 },
    ]);
    expect([all.status, all.body.code]).toEqual([409, 'last_identity']);
    expect((await split([{ appId: 'a2', openId: 'nobody' }])).body.code).toBe('identity_not_found');
  });

  it('never unlinks both of two last identities, however often both are asked for at once', async () => {
    // The whole of it: 200 times.
    for (let round = 0; round < shortOrWhole(5, 10); round += 1)
      await Promise.all(
        Array.from({ length: 20 }, async () => {
          const unionId = fresh('u');
          const x = await born('a1', unionId);
          const o2 = fresh('o');
          await acme.resolved('a2', o2, unionId);
          const answers = await Promise.all([
            acme.anyone().delete(`/v1/identities/a1/${x.openId}`),
            acme.anyone().delete(`/v1/identities/a2/${o2}`),
          ]);
          expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200, 409]));
        }),
      );
  });

  it('does not take back an unlinked identity for evidence from before', async () => {
    const unionId = fresh('u');
    const x = await born('a1', unionId);
    const o2 = fresh('o');
    await acme.resolved('a2', o2, unionId);
    const observedAt = new Date().toISOString();
    ok(await acme.operator.delete(`/v1/identities/a2/${o2}`));
    const body = { appId: 'a2', openId: o2, unionId };
    const stale = await acme.operator.post('/v1/identities/resolve', { ...body, observedAt });
    expect([stale.status, stale.body.code]).toEqual([409, 'observation_stale']);
    expect((await acme.operator.get(`/v1/identities/a2/${o2}`)).status).toBe(404);
    expect(await acme.resolved('a2', o2, unionId)).toMatchObject({ outcome: 'linked', user: { id: x.id } });
  });

  it('separates two users until the separation is removed', async () => {
    const [a, b] = [await born(), await born('a2')];
    const put = await separate(a.id, b.id);
    expect(put.status).toBe(201);
    expect((await merge(b.id, [a.id])).body.results[0]).toMatchObject({ code: 'separated', separationId: put.body.id });
    expect((await acme.operator.delete(`/v1/separations/${put.body.id}`)).status).toBe(204);
    await merged(a.id, b.id);
  });

  it('keeps two users separated who were so by way of a third when it was decided', async () => {
    const [a, b, third] = [await born(), await born('a2'), await born('a3')];
    expect((await separate(third.id, b.id)).status).toBe(201);
    const mergeId = await merged(third.id, a.id);
    const decided = await separate(a.id, b.id);
    expect(decided.status).toBe(201);
    expect((await separate(b.id, a.id)).body).toMatchObject({ id: decided.body.id });
    expect((await revert(mergeId)).status).toBe(200);
    expect((await merge(b.id, [a.id])).body.results[0]).toMatchObject({
      code: 'separated',
      separationId: decided.body.id,
    });
  });

  it('carries out what is decided of a conflict, once', async () => {
    const decide = (id: string | null, decision: string): Promise<Answer<Json>> =>
      acme.anyone().post(`/v1/conflicts/${id}/resolve`, { decision, reason: 'spec' });
    const contradiction = async () => {
      const [u1, u2] = [fresh('u'), fresh('u')];
      const [x, v] = [await born('a1', u1), await born('a2', u2)];
      const { conflictId } = await acme.resolved('a1', x.openId, u2);
      return { x, v, u1, u2, conflictId };
    };
    const one = await contradiction();
    const answers = await Promise.all([decide(one.conflictId, 'merge'), decide(one.conflictId, 'merge')]);
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200, 409]));
    expect((await stateOf(one.x.id)).id).toBe(one.v.id);
    expect((await acme.operator.get(`/v1/conflicts/${one.conflictId}`)).body).toMatchObject({
      status: 'resolved',
      decision: 'merge',
    });

    const two = await contradiction();
    expect((await decide(two.conflictId, 'rekey')).body.code).toBe('conflict_stale');
    expect((await decide(two.conflictId, 'move_identity')).body.code).toBe('last_identity');
    expect((await decide(two.conflictId, 'separate')).status).toBe(200);
    expect((await merge(two.v.id, [two.x.id])).body.results[0].code).toBe('separated');

    const three = await contradiction();
    await merged(three.x.id, three.v.id, { allowDifferentUnionIds: true });
    expect((await decide(three.conflictId, 'keep')).body.code).toBe('conflict_stale');
    expect((await acme.operator.get(`/v1/conflicts/${three.conflictId}`)).body.decision).toBe('overtaken');

    const x = await born('a1', fresh('u'));
    const changed = fresh('u');
    const { conflictId } = await acme.resolved('a1', x.openId, changed);
    expect((await decide(conflictId, 'rekey')).status).toBe(200);
    expect((await stateOf(x.id)).unionIds).toEqual([{ openPlatformId: 'op1', unionId: changed }]);
  });

  it('goes on counting a contradiction whose identity has moved to another user since', async () => {
    const x = await born('a1', fresh('u'));
    const other = fresh('u');
    const first = await acme.resolved('a1', x.openId, other);
    await acme.resolved('a1', x.openId, other);
    const target = await born('a3', fresh('u'));
    const mergeId = await merged(x.id, target.id, { allowDifferentUnionIds: true });
    expect(await acme.resolved('a1', x.openId, other)).toMatchObject({
      outcome: 'conflict',
      conflictId: first.conflictId,
    });
    ok(await revert(mergeId));
    expect(await acme.resolved('a1', x.openId, other)).toMatchObject({
      outcome: 'conflict',
      conflictId: first.conflictId,
    });
    expect((await acme.operator.get(`/v1/conflicts/${first.conflictId}`)).body).toMatchObject({
      count: 4,
      userIds: [x.id],
    });
  });

  it('erases a person for ever, with every alias, and lets a genuine login begin anew', async () => {
    const unionId = fresh('u');
    const [a, b] = [await born('a1'), await born('a2', unionId)];
    await acme.resolved('a1', a.openId, unionId);
    const observedAt = new Date().toISOString();
    const erase = (id: string): Promise<Answer<Json>> => acme.anyone().delete(`/v1/users/${id}?reason=spec`);
    expect((await erase(a.id)).body).toMatchObject({ code: 'user_merged', mergedInto: b.id });
    const first = await erase(b.id);
    expect(first.status).toBe(202);
    expect((await erase(b.id)).body.erasureId).toBe(first.body.erasureId);
    for (const id of [a.id, b.id]) expect((await acme.user(id)).status).toBe(410);
    expect((await acme.operator.get(`/v1/identities/a1/${a.openId}`)).status).toBe(404);
    expect((await acme.operator.get(`/v1/users?unionId=${unionId}`)).body.items).toEqual([]);
    const tables = await acme.database.query<{ name: string }>(
      `SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE'`,
    );
    for (const { name } of tables)
      for (const text of [a.openId, b.openId, unionId])
        expect([name, await acme.database.query(`SELECT 1 FROM ${name} t WHERE t::text LIKE '%${text}%'`)]).toEqual([
          name,
          [],
        ]);
    const replay = { appId: 'a1', openId: a.openId, unionId, observedAt };
    expect((await acme.operator.post('/v1/identities/resolve', replay)).body.code).toBe('observation_stale');
    const again = await acme.resolved('a1', a.openId, unionId);
    expect(again.outcome).toBe('created');
    expect([a.id, b.id]).not.toContain(again.user.id);
    expect((await acme.user(again.user.id)).status).toBe(200);
    for (const id of [a.id, b.id]) expect((await acme.user(id)).status).toBe(410);
    expect((await acme.operator.get(`/v1/erasures/${first.body.erasureId}`)).body.destroyed).toEqual({
      identities: 2,
      unionIds: 1,
      aliases: 1,
    });
  });

  it('erases a person without taking from others what was given to them', async () => {
    const unionId = fresh('u');
    const [a, b] = [await born('a1'), await born('a2', unionId)];
    await merged(a.id, b.id);
    const given = { identities: [{ appId: 'a2', openId: b.openId }], reason: 'spec' };
    const other = ok(await acme.anyone().post(`/v1/users/${b.id}/split`, given)).body;
    // The other side of a conflict keeps its unionId, too.
    const owner = await born('a3', fresh('u'));
    const [key] = (await acme.user(owner.id)).body.unionIds;
    const inConflict = await acme.resolved('a3', fresh('o'), key?.unionId);
    expect(inConflict.outcome).toBe('conflict');
    ok(await acme.anyone().delete(`/v1/users/${b.id}?reason=spec`));
    ok(await acme.anyone().delete(`/v1/users/${inConflict.user.id}?reason=spec`));
    expect((await acme.user(other.id)).body.identities).toMatchObject([{ appId: 'a2', openId: b.openId }]);
    expect(await brokenInvariants(acme.database)).toEqual([]);
    const [entry] = (await acme.operator.get(`/v1/users/${owner.id}/history`)).body.items;
    expect(entry.after.unionIds).toEqual([key]);
  });

  it('shows who has to confirm a merge and who has', async () => {
    ok(await acme.operator.put('/v1/participants/points', { entityId: 'acme', acknowledges: ['merge'] }));
    const [a, b] = [await born(), await born('a2')];
    const mergeId = await merged(a.id, b.id);
    const shown = async (): Promise<Json> => (await acme.operator.get(`/v1/merges/${mergeId}`)).body.acknowledgements;
    expect(await shown()).toEqual([expect.objectContaining({ participant: 'points', status: 'pending' })]);
    const answer = { participant: 'points', status: 'done' };
    expect((await acme.operator.post(`/v1/merges/${mergeId}/acknowledgements`, answer)).status).toBe(204);
    expect(await shown()).toEqual([expect.objectContaining({ participant: 'points', status: 'done', expected: true })]);
  });
});
