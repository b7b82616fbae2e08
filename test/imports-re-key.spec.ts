import { type Acme, brokenInvariants, ok, startAcme } from './harness/acme.js';
import type { Json } from './harness/http.js';
import { codesOf, csv, importsOf } from './harness/imports.js';

const rekey = (oldUnionId: string, newUnionId: string, newOpenPlatformId?: string): object => ({
  openPlatformId: 'op1',
  oldUnionId,
  newUnionId,
  ...(newOpenPlatformId === undefined ? {} : { newOpenPlatformId }),
});
const transfer = (oldOpenId: string, newOpenId: string): object => ({
  oldAppId: 'a1',
  oldOpenId,
  newAppId: 'a4',
  newOpenId,
});

/** Scenario 26 with its neighbours. */
describe('Imports', () => {
  let acme: Acme;
  let next = 0;
  const fresh = (letter: string): string => `${letter}${(next += 1)}-${'xyz'.repeat(3)}`;

  beforeAll(async () => {
    acme = await startAcme();
  });
  afterEach(async () => {
    const broken = await brokenInvariants(acme.database);
    if (broken.length > 0) throw new Error(`broken: ${JSON.stringify(broken)}`);
  });
  afterAll(() => acme.stop());
  const { ended, imported, ownerOf, count } = importsOf(() => acme);

  const keysOf = async (id: string): Promise<string[]> =>
    (await acme.user(id)).body.unionIds.map(({ openPlatformId, unionId }) => `${openPlatformId}:${unionId}`);
  const person = async (app: string, unionId: string): Promise<string> =>
    (await acme.resolved(app, fresh('o'), unionId)).user.id;

  describe('of unionIds that WeChat replaced', () => {
    it('lets people change places in one permutation, and does not change them back when it comes again', async () => {
      const [u1, u2, u3, u4, u5] = [fresh('u'), fresh('u'), fresh('u'), fresh('u'), fresh('u')];
      const [x, y, z, w] = [
        await person('a1', u1),
        await person('a1', u2),
        await person('a2', u3),
        await person('a3', u4),
      ];
      const lines = [rekey(u1, u2), rekey(u2, u1), rekey(u4, u5), rekey(u3, u4)];
      const job = await imported('union_ids', lines);
      expect(job).toMatchObject({ done: 4, failed: 0, outcomes: { rekeyed: 4 } });
      expect([await keysOf(x), await keysOf(y)]).toEqual([[`op1:${u2}`], [`op1:${u1}`]]);
      expect([await keysOf(z), await keysOf(w)]).toEqual([[`op1:${u4}`], [`op1:${u5}`]]);
      const { items } = ok(await acme.operator.get(`/v1/users/${x}/history`)).body;
      expect(items[0]).toMatchObject({ action: 'UserRekeyed', cause: 'migration', version: 2 });
      const events = await count('journal');
      const table = `newUnionId,oldUnionId,openPlatformId\n${lines
        .toReversed()
        .map((one: Json) => `${one.newUnionId},${one.oldUnionId},op1`)
        .join('\n')}`;
      const again = ok(await acme.operator.post('/v1/imports?kind=union_ids&entityId=acme', table, csv)).body.id;
      expect(await ended(again)).toMatchObject({ done: 4, failed: 0, outcomes: { unchanged: 4 } });
      expect(await count('journal')).toBe(events);
    });

    it('retires the old unionId inside an account, and keeps both across accounts', async () => {
      const [u1, u2, u3, v3] = [fresh('u'), fresh('u'), fresh('u'), fresh('v')];
      const { user, identity } = await acme.resolved('a1', fresh('o'), u1);
      // WeChat sent the new one before the table came.
      expect((await acme.resolved('a1', identity.openId, u2)).outcome).toBe('conflict');
      const moved = await person('a1', u3);
      expect(await imported('union_ids', [rekey(u1, u2), rekey(u3, v3, 'op2')])).toMatchObject({ failed: 0 });
      expect([await keysOf(user.id), await keysOf(moved)]).toEqual([[`op1:${u2}`], [`op1:${u3}`, `op2:${v3}`]]);
      expect((await acme.resolved('a2', fresh('o'), u1)).user.id).toBe(user.id);
      expect((await acme.resolved('a1', identity.openId, u2)).outcome).toBe('unchanged');
      const { items } = ok(await acme.operator.get('/v1/conflicts?status=resolved&limit=200')).body;
      expect(items.filter(({ unionId }: Json) => unionId === u2)).toMatchObject([{ decision: 'overtaken' }]);
      const { body } = await acme.operator.get(`/v1/identities/a1/${identity.openId}/diagnosis`);
      expect(body.findings.map(({ code }: Json) => code)).toEqual(['retired_union_id']);
    });

    it('refuses what is doubled or contradicts what is held, and joins whom it shows to be one person', async () => {
      const u = Array.from({ length: 9 }, () => fresh('u'));
      const [u0 = '', u1 = '', u2 = '', u3 = '', u4 = '', u5 = '', u6 = '', u7 = '', u8 = ''] = u;
      const holders = await Promise.all([u0, u1, u2, u3, u4].map((unionId) => person('a1', unionId)));
      const elsewhere = (await acme.resolved('a9', fresh('o'), u8)).user.id;
      const job = await imported('union_ids', [
        rekey(u0, u5),
        rekey(u1, u5),
        rekey(u2, u3),
        rekey(u7, u6),
        rekey(u4, u8, 'op2'),
        rekey(u3, fresh('v'), 'op3'),
        { openPlatformId: 'op1', oldUnionId: u2 },
        rekey(u1, u1),
      ]);
      expect(codesOf(job)).toEqual([
        [1, 'duplicate_target'],
        [2, 'duplicate_target'],
        [3, 'different_union_ids'],
        [4, 'user_not_found'],
        [6, 'open_platform_not_found'],
        [7, 'invalid_request'],
        [8, 'invalid_request'],
      ]);
      expect(job).toMatchObject({ total: 8, done: 8, failed: 7, outcomes: { merged: 1 } });
      expect(await keysOf(holders[2] ?? '')).toEqual([`op1:${u2}`]);
      expect((await acme.user(holders[4] ?? '')).body.id).toBe(elsewhere);
      expect((await keysOf(elsewhere)).toSorted()).toEqual([`op1:${u4}`, `op2:${u8}`]);
    });

    it('gives the replaced unionId back with the source of a merge that is undone', async () => {
      const [u1, u2] = [fresh('u'), fresh('u')];
      const [source, target] = [await person('a1', u1), (await acme.resolved('a2', fresh('o'))).user.id];
      const merge = { targetUserId: target, sourceUserIds: [source], reason: 'spec' };
      const { mergeId } = ok(await acme.operator.post('/v1/merges', merge)).body.results[0];
      expect(await imported('union_ids', [rekey(u1, u2)])).toMatchObject({ outcomes: { rekeyed: 1 } });
      ok(await acme.operator.post(`/v1/merges/${mergeId}/revert`, { reason: 'spec' }));
      expect([await keysOf(source), await keysOf(target)]).toEqual([[`op1:${u2}`], []]);
    });
  });

  describe('of openIds that WeChat replaced', () => {
    it('puts the new openId in the place of the old one, which still leads to its user', async () => {
      const [o, n, late] = [fresh('o'), fresh('n'), fresh('n')];
      const { user, identity } = await acme.resolved('a1', o, fresh('u'));
      const job = await imported('open_ids', [transfer(o, n), transfer(fresh('o'), late), transfer(fresh('o'), late)]);
      expect(codesOf(job)).toEqual([
        [2, 'duplicate_target'],
        [3, 'duplicate_target'],
      ]);
      const found = ok(await ownerOf('a1', o)).body;
      const replacedBy = { appId: 'a4', openId: n };
      expect(found).toMatchObject({
        retired: true,
        replacedBy,
        identity: { appId: 'a1', openId: o },
        user: { id: user.id },
      });
      expect(found.user.identities).toEqual([{ ...replacedBy, linkedAt: identity.linkedAt }]);
      expect(ok(await ownerOf('a4', n)).body.retired).toBeUndefined();
      const { items } = ok(await acme.operator.get(`/v1/users/${user.id}/history`)).body;
      expect(items[0]).toMatchObject({ action: 'IdentityRekeyed', cause: 'migration' });
      expect(await acme.resolved('a1', o, fresh('u'))).toMatchObject({ outcome: 'unchanged', user: { id: user.id } });
      const asked = { identities: [{ appId: 'a1', openId: o }] };
      const { results } = ok(await acme.operator.post('/v1/identities/lookup', asked)).body;
      expect(results).toMatchObject([{ openId: o, status: 'live', userId: user.id }]);
      const events = await count('journal');
      expect(await imported('open_ids', [transfer(o, n)])).toMatchObject({ failed: 0, outcomes: { unchanged: 1 } });
      expect(await count('journal')).toBe(events);
    });

    it('joins the two users unless they hold different unionIds, which is for a human to decide', async () => {
      const [o1, n1, o2, n2, o3, n3, u3] = 'onononu'.split('').map((letter) => fresh(letter));
      const first = await acme.resolved('a1', o1 ?? '', fresh('u'));
      const second = await acme.resolved('a4', n1 ?? '');
      const same = await acme.resolved('a1', o2 ?? '', u3);
      await acme.resolved('a4', n2 ?? '', u3);
      const [holder, owner] = [
        await acme.resolved('a1', o3 ?? '', fresh('u')),
        await acme.resolved('a4', n3 ?? '', fresh('u')),
      ];
      const lines = [
        transfer(o1 ?? '', n1 ?? ''),
        transfer(o2 ?? '', n2 ?? ''),
        transfer(o3 ?? '', n3 ?? ''),
        transfer(fresh('o'), fresh('n')),
      ];
      const job = await imported('open_ids', lines);
      expect(codesOf(job)).toEqual([
        [3, 'different_union_ids'],
        [4, 'identity_not_found'],
      ]);
      expect(job.outcomes).toEqual({ merged: 1, rekeyed: 1 });
      expect((await acme.user(second.user.id)).body.id).toBe(first.user.id);
      const refsOf = async (id: string): Promise<unknown[]> =>
        (await acme.user(id)).body.identities?.map(({ appId, openId }) => `${appId}:${openId}`) ?? [];
      expect(await refsOf(first.user.id)).toEqual([`a4:${n1}`]);
      expect(await refsOf(same.user.id)).toEqual([`a4:${n2}`]);
      const { items } = ok(await acme.operator.get('/v1/conflicts?status=open&limit=200')).body;
      const conflicts = items.filter(({ openId }: Json) => openId === n3);
      expect(conflicts).toMatchObject([{ kind: 'different_union_id', userIds: [owner.user.id, holder.user.id] }]);
      const decided = { decision: 'merge', reason: 'spec' };
      ok(await acme.operator.post(`/v1/conflicts/${conflicts[0].id}/resolve`, decided));
      expect(await imported('open_ids', lines)).toMatchObject({ failed: 1, outcomes: { unchanged: 2, rekeyed: 1 } });
      expect(await refsOf(holder.user.id)).toEqual([`a4:${n3}`]);
    });

    it('leads on through a second transfer, and forgets it all with the person', async () => {
      const [o, n, m] = [fresh('o'), fresh('n'), fresh('m')];
      const { user } = await acme.resolved('a1', o);
      const onwards = { oldAppId: 'a4', oldOpenId: n, newAppId: 'a3', newOpenId: m };
      expect(await imported('open_ids', [transfer(o, n), onwards])).toMatchObject({ outcomes: { rekeyed: 2 } });
      expect(ok(await ownerOf('a1', o)).body.replacedBy).toEqual({ appId: 'a3', openId: m });
      ok(await acme.operator.delete(`/v1/users/${user.id}?reason=spec`));
      expect((await ownerOf('a1', o)).status).toBe(404);
      expect(await count('retired_identity')).toBe(
        await count(`retired_identity WHERE open_id NOT IN ('${o}', '${n}')`),
      );
      const seen = { appId: 'a1', openId: o, observedAt: '2020-01-01T00:00:00Z' };
      expect((await acme.operator.post('/v1/identities/resolve', seen)).body.code).toBe('observation_stale');
    });
  });
});
