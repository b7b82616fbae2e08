import { type Acme, brokenInvariants, ok, startAcme } from './harness/acme.js';
import { type Answer, type Http, http, type Json } from './harness/http.js';
import { operatorKey, startApi } from './harness/processes.js';
import { until } from './harness/until.js';

/** What participants are asked before a merge by hand, and what they owe after it, over two API processes. */
describe('Participants', () => {
  let acme: Acme;
  let deciding: Http;
  let next = 0;
  const fresh = (letter: string): string => `${letter}${(next += 1)}-${'xyz'.repeat(3)}`;
  const patience = { timeoutMs: 60_000 };

  beforeAll(async () => {
    acme = await startAcme({ apis: 2 });
    const key = { entityId: 'acme', name: 'deciding', scopes: ['merge', 'read'] };
    deciding = acme.operator.as(ok(await acme.operator.post('/v1/api-keys', key)).body.key);
  });
  beforeEach(async () => {
    for (const name of ['points', 'shop']) await register(name, {});
  });
  afterEach(async () => {
    const broken = await brokenInvariants(acme.database);
    if (broken.length > 0) throw new Error(`broken: ${JSON.stringify(broken)}`);
  });
  afterAll(() => acme.stop());

  const register = async (name: string, settings: object): Promise<void> => {
    const body = {
      entityId: 'acme',
      acknowledges: [],
      answerWithinSeconds: 600,
      overdueAfterSeconds: 600,
      ...settings,
    };
    ok(await acme.anyone().put(`/v1/participants/${name}`, body));
  };
  const consenting = async (...names: string[]): Promise<void> => {
    for (const name of names) await register(name, { consents: ['merge'] });
  };
  const born = async (app = 'a1', unionId?: string): Promise<{ id: string; openId: string }> => {
    const openId = fresh('o');
    return { id: (await acme.resolved(app, openId, unionId)).user.id, openId };
  };
  const merge = (source: string, target: string, more: object = {}, by = acme.anyone()): Promise<Answer<Json>> =>
    by.post('/v1/merges', { targetUserId: target, sourceUserIds: [source], reason: 'spec', ...more });
  const proposed = async (more: object = {}): Promise<{ mergeId: string; source: string; target: string }> => {
    const [source, target] = [await born(), await born('a2')];
    const { body } = ok(await merge(source.id, target.id, more));
    expect(body.results).toEqual([
      { sourceUserId: source.id, outcome: 'pending_consent', mergeId: expect.any(String) },
    ]);
    return { mergeId: body.results[0].mergeId, source: source.id, target: target.id };
  };
  const say = async (mergeId: string, participant: string, status: string, detail?: string): Promise<void> => {
    const said = { participant, status, ...(detail === undefined ? {} : { detail }) };
    const answer = await acme.anyone().post(`/v1/merges/${mergeId}/acknowledgements`, said);
    expect(answer.status).toBe(204);
  };
  const shown = async (mergeId: string): Promise<Json> => ok(await acme.anyone().get(`/v1/merges/${mergeId}`)).body;
  const statusOf = async (mergeId: string): Promise<string> => (await shown(mergeId)).status;
  const liveId = async (id: string): Promise<string> => (await acme.user(id)).body.id;
  const told = async (type: string, mergeId: string): Promise<Json[]> => {
    const rows = await acme.database.query<{ data: Json }>(
      `SELECT data FROM journal WHERE type = $1 AND $2 IN (data ->> 'mergeId', data ->> 'id') ORDER BY id`,
      [`identity.${type}.v1`, mergeId],
    );
    return rows.map(({ data }) => data);
  };
  const passDeadline = async (mergeId: string, isLookedFor: boolean): Promise<void> => {
    const past = `clock_timestamp() - interval '1 second'`;
    await acme.database.query(
      `WITH late AS (UPDATE consent SET deadline_at = ${past} WHERE merge_id = $1 AND answer IS NULL)
        UPDATE merge_case SET due_at = ${isLookedFor ? past : 'NULL'} WHERE merge_id = $1`,
      [mergeId],
    );
  };

  it('are asked by one notice, and the last of them to accept commits the merge', async () => {
    await consenting('points', 'shop');
    const { mergeId, source, target } = await proposed();
    const preview = { targetUserId: target, sourceUserIds: [source] };
    expect((await acme.anyone().post('/v1/merges/preview', preview)).body.consents).toEqual(['points', 'shop']);
    const notices = await told('MergeProposed', mergeId);
    const about = { mergeId, targetUserId: target, sourceUserId: source, reason: 'spec', cause: 'admin' };
    expect(notices).toEqual([expect.objectContaining({ ...about, participants: ['points', 'shop'] })]);
    expect(Date.parse(notices[0].deadlineAt) - Date.parse(notices[0].occurredAt)).toBe(600_000);
    const pending = { status: 'pending', reason: null, deadlineAt: notices[0].deadlineAt, answeredAt: null };
    expect((await shown(mergeId)).consents).toEqual([
      { participant: 'points', ...pending },
      { participant: 'shop', ...pending },
    ]);
    await say(mergeId, 'shop', 'accept');
    expect(await statusOf(mergeId)).toBe('pending_consent');
    expect(await liveId(source)).toBe(source);
    await say(mergeId, 'points', 'accept', 'no open orders');
    const done = await shown(mergeId);
    expect(done).toMatchObject({ status: 'merged', requestedBy: 'operator', decisionReason: null });
    expect(done.consents.map(({ status, reason }: Json) => [status, reason])).toEqual([
      ['accepted', 'no open orders'],
      ['accepted', null],
    ]);
    expect(await liveId(source)).toBe(target);
    expect(await told('UserMerged', mergeId)).toEqual([
      expect.objectContaining({ cause: 'participant', automatic: false, sourceUserId: source }),
    ]);
  });

  it('commit once, however many answers come at once through both processes', async () => {
    await consenting('points', 'shop');
    const cases = await Promise.all(Array.from({ length: 5 }, () => proposed()));
    const answers = cases.flatMap(({ mergeId }) =>
      Array.from({ length: 8 }, (_, n) => say(mergeId, n % 2 === 0 ? 'points' : 'shop', 'accept')),
    );
    await Promise.all(answers);
    for (const { mergeId, source, target } of cases) {
      expect(await liveId(source)).toBe(target);
      expect(await told('UserMerged', mergeId)).toHaveLength(1);
      expect(await told('UserRedirected', mergeId)).toHaveLength(1);
      const { ignoredAnswers } = await shown(mergeId);
      expect(ignoredAnswers.map(({ participant, why, count }: Json) => [participant, why, count])).toEqual(
        expect.arrayContaining([
          ['points', 'repeated', 3],
          ['shop', 'repeated', 3],
        ]),
      );
    }
  });

  it('end it by one refusal, and what they say afterwards is recorded and changes nothing', async () => {
    await consenting('points', 'shop');
    const { mergeId, source } = await proposed();
    await say(mergeId, 'points', 'refuse', 'an order is open');
    await say(mergeId, 'shop', 'accept');
    await say(mergeId, 'points', 'accept');
    await say(mergeId, 'stranger', 'accept');
    const end = await shown(mergeId);
    expect([end.status, end.decisionReason, await liveId(source)]).toEqual(['rejected', 'an order is open', source]);
    expect(end.consents.map(({ status }: Json) => status)).toEqual(['refused', 'not_needed']);
    expect(end.ignoredAnswers.map(({ participant, answer, why }: Json) => [participant, answer, why])).toEqual([
      ['shop', 'accept', 'late'],
      ['points', 'accept', 'repeated'],
      ['stranger', 'accept', 'unknown'],
    ]);
  });

  it('refuse by silence, also when the process that asked them is killed', async () => {
    await register('shop', { consents: ['merge'], answerWithinSeconds: 1 });
    const doomed = await startApi({ databaseUrl: acme.database.url });
    const [source, target] = [await born(), await born('a2')];
    const { body } = ok(await merge(source.id, target.id, {}, http(doomed.url, operatorKey)));
    const [{ mergeId }] = body.results;
    await doomed.kill();
    await until(async () => (await statusOf(mergeId)) === 'rejected', patience);
    const end = await shown(mergeId);
    expect(end.decisionReason).toBe('no answer in time from shop');
    await say(mergeId, 'shop', 'accept');
    expect((await shown(mergeId)).ignoredAnswers).toEqual([
      expect.objectContaining({ participant: 'shop', answer: 'accept', why: 'late', count: 1 }),
    ]);
    expect(await liveId(source.id)).toBe(source.id);
  });

  it('have each their own time to answer, and the first silence ends it', async () => {
    await consenting('points');
    await register('shop', { consents: ['merge'], answerWithinSeconds: 300 });
    const { mergeId, source } = await proposed();
    const asked = (await told('MergeProposed', mergeId)).map(({ participants }) => participants);
    expect(asked).toEqual([['points'], ['shop']]);
    await say(mergeId, 'points', 'accept');
    await passDeadline(mergeId, true);
    await until(async () => (await statusOf(mergeId)) === 'rejected', patience);
    expect((await shown(mergeId)).consents.map(({ status }: Json) => status)).toEqual(['accepted', 'silent']);
    expect(await liveId(source)).toBe(source);
  });

  it('are too late from the deadline on, whether or not somebody has looked at the clock', async () => {
    await consenting('points');
    const [unseen, seen, approved] = [await proposed(), await proposed(), await proposed({ requireApproval: true })];
    await passDeadline(unseen.mergeId, false);
    await say(unseen.mergeId, 'points', 'accept');
    expect((await shown(unseen.mergeId)).consents[0].status).toBe('silent');
    await passDeadline(approved.mergeId, false);
    expect((await deciding.post(`/v1/merges/${approved.mergeId}/approve`, {})).body.code).toBe('merge_stale');
    await passDeadline(seen.mergeId, true);
    await Promise.all(Array.from({ length: 10 }, () => say(seen.mergeId, 'points', 'accept')));
    for (const { mergeId, source } of [unseen, seen, approved]) {
      expect([await statusOf(mergeId), await liveId(source)]).toEqual(['rejected', source]);
      expect(await told('UserMerged', mergeId)).toEqual([]);
    }
  });

  it('consent to nothing that may not be merged any more: it is stale', async () => {
    await consenting('points');
    const [elsewhere, separated, grown] = [await proposed(), await proposed(), await proposed()];
    const third = await born('a3');
    await register('points', {});
    ok(await merge(elsewhere.source, third.id));
    const apart = { userIds: [separated.source, separated.target], reason: 'spec' };
    ok(await acme.anyone().put('/v1/separations', apart));
    // A login that links one more app is no reason to ask again.
    const openId = fresh('o');
    ok(await acme.anyone().post('/v1/identities', { appId: 'a4', openId, userId: grown.target, reason: 'spec' }));
    for (const { mergeId } of [elsewhere, separated, grown]) await say(mergeId, 'points', 'accept');
    expect(await statusOf(elsewhere.mergeId)).toBe('stale');
    expect(await statusOf(separated.mergeId)).toBe('stale');
    expect(await liveId(elsewhere.source)).toBe(third.id);
    expect([await statusOf(grown.mergeId), await liveId(grown.source)]).toEqual(['merged', grown.target]);
  });

  it('and an approver are asked at the same time, and whoever is last commits the merge', async () => {
    await consenting('points');
    const approve = (mergeId: string): Promise<Answer<Json>> => deciding.post(`/v1/merges/${mergeId}/approve`, {});
    const [first, second, plain] = [
      await proposed({ requireApproval: true }),
      await proposed({ requireApproval: true }),
      await proposed(),
    ];
    const own = await acme.operator.post(`/v1/merges/${first.mergeId}/approve`, {});
    expect([own.status, own.body.code]).toEqual([403, 'same_requester']);
    expect((await approve(first.mergeId)).body).toMatchObject({ status: 'pending_consent', needsApproval: true });
    expect((await approve(first.mergeId)).body.code).toBe('merge_stale');
    await say(first.mergeId, 'points', 'accept');
    expect(await statusOf(first.mergeId)).toBe('merged');
    await say(second.mergeId, 'points', 'accept');
    expect(await statusOf(second.mergeId)).toBe('pending_approval');
    expect((await approve(second.mergeId)).body.status).toBe('merged');
    expect((await approve(plain.mergeId)).body.code).toBe('merge_stale');
    expect((await deciding.post(`/v1/merges/${plain.mergeId}/reject`, { reason: 'withdrawn' })).body).toMatchObject({
      status: 'rejected',
      decisionReason: 'withdrawn',
    });
  });

  it('are not asked about what a unionId proves', async () => {
    await consenting('points');
    const unionId = fresh('u');
    const [a, b] = [await born('a1'), await born('a2', unionId)];
    const { outcome, user } = await acme.resolved('a1', a.openId, unionId);
    expect([outcome, user.id]).toEqual(['merged', b.id]);
  });

  it('are asked about a conflict that a human decides as a merge', async () => {
    await consenting('points');
    const [mine, theirs] = [fresh('u'), fresh('u')];
    const [a, b] = [await born('a1', mine), await born('a2', theirs)];
    const { conflictId } = await acme.resolved('a1', a.openId, theirs);
    const decision = { decision: 'merge', reason: 'spec' };
    expect(ok(await acme.anyone().post(`/v1/conflicts/${conflictId}/resolve`, decision)).body.decision).toBe('merge');
    const [{ id: mergeId, status }] = (await acme.anyone().get(`/v1/merges?userId=${a.id}`)).body.items;
    expect([status, await liveId(a.id)]).toEqual(['pending_consent', a.id]);
    await say(mergeId, 'points', 'accept');
    expect(await liveId(a.id)).toBe(b.id);
    expect((await shown(mergeId)).evidence).toEqual({ conflictId });
  });

  it('cannot spoil a merge by confirming it before it happened', async () => {
    await consenting('points');
    await register('points', { consents: ['merge'], acknowledges: ['merge'] });
    const { mergeId } = await proposed();
    await say(mergeId, 'points', 'done');
    await say(mergeId, 'points', 'accept');
    const { status, acknowledgements } = await shown(mergeId);
    expect(status).toBe('merged');
    expect(acknowledgements).toEqual([
      expect.objectContaining({ participant: 'points', status: 'pending', expected: true }),
    ]);
  });

  it('are not waited for when one of the two is erased', async () => {
    await consenting('points');
    const { mergeId, source, target } = await proposed();
    ok(await acme.operator.delete(`/v1/users/${source}?reason=spec`));
    expect(await statusOf(mergeId)).toBe('stale');
    await say(mergeId, 'points', 'accept');
    expect([await statusOf(mergeId), await liveId(target)]).toEqual(['stale', target]);
  });

  it('answer only what there is to answer', async () => {
    await consenting('points');
    const { mergeId } = await proposed();
    ok(await acme.operator.put('/v1/entities/other', { name: 'Other' }));
    const key = { entityId: 'other', name: 'k', scopes: ['merge', 'read', 'admin'] };
    const foreign = acme.operator.as(ok(await acme.operator.post('/v1/api-keys', key)).body.key);
    const said = { participant: 'points', status: 'accept' };
    expect((await foreign.post(`/v1/merges/${mergeId}/acknowledgements`, said)).body.code).toBe('merge_not_found');
    for (const body of [{ ...said, status: 'perhaps' }, { status: 'accept' }, { ...said, more: 1 }])
      expect((await acme.anyone().post(`/v1/merges/${mergeId}/acknowledgements`, body)).status).toBe(400);
    const erased = await born();
    const { erasureId } = ok(await acme.operator.delete(`/v1/users/${erased.id}`)).body;
    expect((await acme.operator.post(`/v1/erasures/${erasureId}/acknowledgements`, said)).status).toBe(400);
    expect(await statusOf(mergeId)).toBe('pending_consent');
  });

  it('answer by a key of their own as themselves only, and are then answered for by nobody else', async () => {
    const keyOf = async (participant?: string): Promise<Http> => {
      const request = { entityId: 'acme', name: 'answering', scopes: ['merge'], participant };
      return acme.operator.as(ok(await acme.operator.post('/v1/api-keys', request)).body.key);
    };
    await consenting('points', 'shop');
    const { mergeId, source, target } = await proposed();
    const answer = async (by: Http, participant: string): Promise<unknown[]> => {
      const said = { participant, status: 'accept' };
      const { status, body } = await by.post(`/v1/merges/${mergeId}/acknowledgements`, said);
      return [status, body?.code];
    };
    const own = await keyOf('points');
    expect(await answer(own, 'shop')).toEqual([403, 'forbidden']);
    expect(await answer(deciding, 'points')).toEqual([403, 'forbidden']);
    expect(await statusOf(mergeId)).toBe('pending_consent');
    expect(await answer(own, 'points')).toEqual([204, undefined]);
    // Nobody has a key of the shop's own: whoever may write merges speaks for it.
    expect(await answer(deciding, 'shop')).toEqual([204, undefined]);
    expect(await liveId(source)).toBe(target);
    const nowhere = { name: 'answering', scopes: ['merge'], participant: 'points' };
    expect((await acme.operator.post('/v1/api-keys', nowhere)).status).toBe(400);
    const [{ id }] = (await acme.operator.get('/v1/api-keys?limit=200')).body.items.filter(
      ({ participant }: Json) => participant === 'points',
    );
    const { body: rotated } = ok(await acme.operator.post(`/v1/api-keys/${id}/rotate`, { graceSeconds: 0 }));
    expect(rotated.participant).toBe('points');
    ok(await acme.operator.delete(`/v1/api-keys/${rotated.id}`));
    expect(await answer(deciding, 'points')).toEqual([204, undefined]);
  });

  it('are told of once when an answer is overdue, and counted until it comes', async () => {
    await register('points', { acknowledges: ['merge', 'erasure'], overdueAfterSeconds: 1 });
    await register('shop', { acknowledges: ['merge', 'erasure'], overdueAfterSeconds: 600 });
    const [a, b, c] = [await born(), await born('a2'), await born('a3')];
    const { mergeId } = ok(await merge(a.id, b.id)).body.results[0];
    ok(await acme.anyone().post(`/v1/merges/${mergeId}/revert`, { reason: 'spec' }));
    const { erasureId } = ok(await acme.operator.delete(`/v1/users/${c.id}`)).body;
    const paths = [`/v1/merges/${mergeId}`, `/v1/erasures/${erasureId}`];
    const items = async (path: string): Promise<Json[]> =>
      (await acme.operator.get(path)).body.acknowledgements.map((one: Json) => [
        one.participant,
        one.kind,
        one.overdue,
      ]);
    await until(async () => (await told('AcknowledgementOverdue', erasureId)).length > 0, patience);
    await until(async () => (await told('AcknowledgementOverdue', mergeId)).length > 1, patience);
    for (const path of paths) expect((await acme.operator.get(path)).body.overdue).toBe(true);
    expect(await items(paths[0] ?? '')).toEqual([
      ['points', 'merge', true],
      ['shop', 'merge', false],
      ['points', 'revert', true],
      ['shop', 'revert', false],
    ]);
    const metric = async (n: number): Promise<number> => {
      const text = await (await fetch(`${acme.apis[n]?.url}/metrics`)).text();
      return Number(/^unionlink_overdue_acknowledgements (\d+)$/m.exec(text)?.[1]);
    };
    for (const n of [0, 1]) await until(async () => (await metric(n)) === 3, patience);
    await say(mergeId, 'points', 'done');
    await say(mergeId, 'points', 'failed', 'no such account');
    ok(await acme.operator.post(`${paths[1]}/acknowledgements`, { participant: 'points', status: 'done' }));
    for (const n of [0, 1]) await until(async () => (await metric(n)) === 0, patience);
    for (const path of paths) expect((await acme.operator.get(path)).body.overdue).toBe(false);
    const notices = [
      ...(await told('AcknowledgementOverdue', mergeId)),
      ...(await told('AcknowledgementOverdue', erasureId)),
    ];
    expect(notices.map(({ kind, participant, userId }) => `${kind} ${participant} ${userId}`).toSorted()).toEqual([
      `erasure points ${c.id}`,
      `merge points ${b.id}`,
      `revert points ${b.id}`,
    ]);
  });
});
