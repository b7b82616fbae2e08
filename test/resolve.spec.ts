import { type Acme, brokenInvariants, ok, type Resolved, startAcme } from './harness/acme.js';
import { until } from './harness/until.js';

/** Scenarios 1–11 and 36 with their neighbours, over two API processes. */
describe('Resolving what the apps saw', () => {
  let acme: Acme;
  let next = 0;
  /** Fresh ids for each use, so that specs do not meet. */
  const fresh = (letter: string): string => `${letter}${(next += 1)}-${'xyz'.repeat(3)}`;

  beforeAll(async () => {
    acme = await startAcme({ apis: 2, env: { IDENTITIES_PER_USER_MAX: '6' } });
  });
  afterEach(async () => {
    const broken = await brokenInvariants(acme.database);
    if (broken.length > 0) throw new Error(`broken: ${JSON.stringify(broken)}`);
  });
  afterAll(() => acme.stop());

  const journalSize = async (): Promise<string> =>
    (await acme.database.query<{ n: string }>('SELECT count(*)::text AS n FROM journal WHERE user_id IS NOT NULL'))[0]
      ?.n ?? '';
  const liveIdOf = async (id: string): Promise<string> => (await acme.user(id)).body.id;

  it('gives fifty first logins at once one id, one user and one event', async () => {
    const [openId, unionId] = [fresh('o'), fresh('u')];
    const answers = await Promise.all(Array.from({ length: 50 }, () => acme.resolved('a1', openId, unionId)));
    expect(new Set(answers.map(({ user }) => user.id)).size).toBe(1);
    expect(answers.filter(({ outcome }) => outcome === 'created')).toHaveLength(1);
    const events = await acme.database.query(`SELECT type FROM journal WHERE user_id = '${answers[0]?.user.id}'`);
    expect(events).toEqual([{ type: 'identity.UserLinked.v1' }]);
  });

  it('ends with one user in whatever order the three logins come, and every id leads to it', async () => {
    const orders = [
      [0, 1, 2],
      [0, 2, 1],
      [1, 0, 2],
      [1, 2, 0],
      [2, 0, 1],
      [2, 1, 0],
    ];
    for (const order of [...orders, null]) {
      const [o1, o2, u1] = [fresh('o'), fresh('o'), fresh('u')];
      const logins = [
        () => acme.resolved('a1', o1),
        () => acme.resolved('a2', o2, u1),
        () => acme.resolved('a1', o1, u1),
      ];
      const answers: Resolved[] = [];
      if (order === null) answers.push(...(await Promise.all(logins.map((login) => login()))));
      else
        for (const index of order) {
          const login = logins[index];
          if (login !== undefined) answers.push(await login());
        }
      const ends = new Set(await Promise.all(answers.map(({ user }) => liveIdOf(user.id))));
      expect(ends.size).toBe(1);
      const [end] = ends;
      const { body } = await acme.user(end ?? '');
      expect(body.identities?.map(({ openId }) => openId).toSorted()).toEqual([o1, o2].toSorted());
      expect(body.unionIds).toEqual([{ openPlatformId: 'op1', unionId: u1 }]);
    }
  });

  it('writes nothing for a login it knows', async () => {
    const [openId, unionId] = [fresh('o'), fresh('u')];
    const first = await acme.resolved('a1', openId, unionId);
    const before = await journalSize();
    for (let round = 0; round < 20; round += 1) {
      const answers = await Promise.all(
        Array.from({ length: 50 }, (_, n) => acme.resolved('a1', openId, n % 2 === 0 ? unionId : undefined)),
      );
      expect(answers.every(({ outcome, user }) => outcome === 'unchanged' && user.id === first.user.id)).toBe(true);
      expect(answers.every(({ user }) => user.version === 1)).toBe(true);
    }
    expect(await journalSize()).toBe(before);
  });

  it('folds a provisional user into the owner of the unionId', async () => {
    const [o1, o2, u1] = [fresh('o'), fresh('o'), fresh('u')];
    const provisional = await acme.resolved('a1', o1);
    const owner = await acme.resolved('a2', o2, u1);
    const merged = await acme.resolved('a1', o1, u1);
    expect(merged).toMatchObject({
      outcome: 'merged',
      previousUserId: provisional.user.id,
      user: { id: owner.user.id, version: 2, createdAt: provisional.user.createdAt },
    });
    const { status, body } = await acme.user(provisional.user.id);
    expect(status).toBe(200);
    expect(body).toMatchObject({ id: owner.user.id, status: 'live', requestedUserId: provisional.user.id });
  });

  it('lets one of two provisional users survive when both learn the same unionId at once, 200 times', async () => {
    for (let round = 0; round < 10; round += 1) {
      await Promise.all(
        Array.from({ length: 20 }, async () => {
          const [o1, o2, u1] = [fresh('o'), fresh('o'), fresh('u')];
          const born = await Promise.all([acme.resolved('a1', o1), acme.resolved('a2', o2)]);
          const answers = await Promise.all([acme.resolved('a1', o1, u1), acme.resolved('a2', o2, u1)]);
          const ids = new Set(born.map(({ user }) => user.id));
          expect(answers.every(({ user }) => ids.has(user.id))).toBe(true);
          const ends = new Set(await Promise.all([...ids].map(liveIdOf)));
          expect(ends.size).toBe(1);
        }),
      );
    }
  }, 120_000);

  it('keeps a known unionId when a later login has none', async () => {
    const [openId, unionId] = [fresh('o'), fresh('u')];
    await acme.resolved('a1', openId, unionId);
    const later = await acme.resolved('a1', openId);
    expect(later.user.unionIds).toEqual([{ openPlatformId: 'op1', unionId }]);
  });

  it('changes nothing for a different unionId and counts the contradiction once', async () => {
    const [o1, u1, o2, u2] = [fresh('o'), fresh('u'), fresh('o'), fresh('u')];
    const x = await acme.resolved('a1', o1, u1);
    await acme.resolved('a2', o2, u2);
    const answers = [];
    for (let round = 0; round < 10; round += 1)
      answers.push(...(await Promise.all(Array.from({ length: 10 }, () => acme.resolved('a1', o1, u2)))));
    expect(answers.every(({ outcome, user }) => outcome === 'conflict' && user.id === x.user.id)).toBe(true);
    expect(new Set(answers.map(({ conflictId }) => conflictId)).size).toBe(1);
    const conflicts = await acme.database.query(
      `SELECT kind, status, count::int AS count FROM conflict WHERE open_id = '${o1}'`,
    );
    expect(conflicts).toEqual([{ kind: 'different_union_id', status: 'open', count: 100 }]);
    const notices = await acme.database.query(
      `SELECT type FROM journal WHERE version IS NULL AND data::text LIKE '%${o1}%'`,
    );
    expect(notices).toEqual([{ type: 'identity.ConflictOpened.v1' }]);
  });

  it('hands nobody’s account over for a second openId of the same app under one unionId', async () => {
    const [o1, o9, u1] = [fresh('o'), fresh('o'), fresh('u')];
    const owner = await acme.resolved('a1', o1, u1);
    const second = await acme.resolved('a1', o9, u1);
    expect(second.outcome).toBe('conflict');
    expect(second.user.id).not.toBe(owner.user.id);
    const again = await acme.resolved('a1', o9, u1);
    expect(again).toMatchObject({ outcome: 'conflict', conflictId: second.conflictId, user: { id: second.user.id } });
  });

  it('keeps people apart whose unionIds only look the same in two Open Platform accounts', async () => {
    const unionId = fresh('u');
    const one = await acme.resolved('a1', fresh('o'), unionId);
    const other = await acme.resolved('a9', fresh('o'), unionId);
    expect(one.user.id).not.toBe(other.user.id);
  });

  it('never makes one user of two openIds that share a placeholder', async () => {
    const placeholders = [
      'null',
      'NULL',
      '',
      '   ',
      'undefined',
      'NaN',
      '0',
      '-1',
      '[object Object]',
      'none',
      'nil',
      'anonymous',
      'unknown',
      'N/A',
      '0000',
      'xxxxxxxx',
      '--',
      null,
    ];
    const answers = await Promise.all(
      Array.from({ length: 300 }, (_, n) =>
        acme.resolved('a1', fresh('o'), placeholders[n % placeholders.length] ?? null),
      ),
    );
    expect(new Set(answers.map(({ user }) => user.id)).size).toBe(300);
    expect(answers.every(({ user }) => user.unionIds.length === 0)).toBe(true);
    for (const openId of ['null', '  ', 'undefined', '00', 'aaaa'])
      expect((await acme.login('a1', openId)).status).toBe(400);
  });

  it('trims blanks and keeps case', async () => {
    const [openId, unionId] = [fresh('O'), fresh('U')];
    const first = await acme.resolved('a1', ` ${openId} `, `\t${unionId}\n`);
    expect(first.identity.openId).toBe(openId);
    expect((await acme.resolved('a2', fresh('o'), unionId)).user.id).toBe(first.user.id);
    expect((await acme.resolved('a3', fresh('o'), unionId.toLowerCase())).user.id).not.toBe(first.user.id);
  });

  it('stops linking by itself where a user would grow past the limit', async () => {
    const unionId = fresh('u');
    const apps = ['b1', 'b2', 'b3', 'b4', 'b5', 'b6', 'b7'];
    for (const app of apps) await acme.putApp(app, 'op1');
    const answers: Resolved[] = [];
    for (const app of apps) answers.push(await acme.resolved(app, fresh('o'), unionId));
    expect(answers.map(({ outcome }) => outcome)).toEqual(['created', ...Array(5).fill('linked'), 'conflict']);
    expect(answers[6]?.user.id).not.toBe(answers[0]?.user.id);
  });

  it('keeps the unionId of an unbound app and links it once the registry agrees, without a login', async () => {
    const [app, o1, o2, u1] = [fresh('c'), fresh('o'), fresh('o'), fresh('u')];
    await acme.putApp(app, null);
    const owner = await acme.resolved('a2', o2, u1);
    const unbound = await acme.resolved(app, o1, u1);
    expect(unbound).toMatchObject({ outcome: 'created', user: { unionIds: [] } });
    expect((await acme.resolved(app, o1, u1)).outcome).toBe('unchanged');
    await acme.putApp(app, 'op1');
    const deadline = Date.now() + 10_000;
    while ((await liveIdOf(unbound.user.id)) !== owner.user.id) {
      if (Date.now() > deadline) throw new Error('not linked within 10 s');
    }
  });

  it('gives an app that moved to another account a second key, without a conflict', async () => {
    const [app, o1, u1, v1] = [fresh('c'), fresh('o'), fresh('u'), fresh('v')];
    await acme.putApp(app, 'op1');
    const x = await acme.resolved(app, o1, u1);
    await acme.putApp(app, 'op2');
    // WeChat may go on sending the old one for a while: a finding, no key of the new account.
    expect((await acme.resolved(app, o1, u1)).outcome).toBe('unchanged');
    const keyed = await acme.resolved(app, o1, v1);
    expect(keyed).toMatchObject({ outcome: 'keyed', user: { id: x.user.id } });
    expect(keyed.user.unionIds).toEqual([
      { openPlatformId: 'op1', unionId: u1 },
      { openPlatformId: 'op2', unionId: v1 },
    ]);
    expect((await acme.resolved('a2', fresh('o'), u1)).user.id).toBe(x.user.id);
  });

  it('takes up a contradiction by itself when the rebind is declared later', async () => {
    const [app, o1, u1, v1] = [fresh('c'), fresh('o'), fresh('u'), fresh('v')];
    await acme.putApp(app, 'op1');
    const x = await acme.resolved(app, o1, u1);
    expect((await acme.resolved(app, o1, v1)).outcome).toBe('conflict');
    await acme.putApp(app, 'op2');
    const deadline = Date.now() + 10_000;
    while ((await acme.user(x.user.id)).body.unionIds.length < 2) {
      if (Date.now() > deadline) throw new Error('not keyed within 10 s');
    }
    const open = await acme.database.query(`SELECT 1 FROM conflict WHERE open_id = '${o1}' AND status = 'open'`);
    expect(open).toEqual([]);
  });

  it('answers a batch in the order asked, and one bad item spoils no other', async () => {
    const [o1, u1] = [fresh('o'), fresh('u')];
    const items = [
      { appId: 'a1', openId: o1, unionId: u1 },
      { appId: 'nowhere', openId: o1 },
      { appId: 'a1', openId: 'null' },
      { appId: 'a2', openId: fresh('o'), unionId: u1 },
      'rubbish',
      { appId: 'a1', openId: o1 },
      { appId: 'a1', openId: fresh('o'), isSnapshotUser: true },
    ];
    const { status, body } = await acme.operator.post<{
      results: { index: number; status: string; outcome?: string; problem?: { code: string } }[];
    }>('/v1/identities/resolve/batch', { items });
    expect(status).toBe(200);
    expect(body.results.map(({ outcome, problem }) => outcome ?? problem?.code)).toEqual([
      'created',
      'app_not_found',
      'invalid_request',
      'linked',
      'invalid_request',
      'unchanged',
      'snapshot_user',
    ]);
    expect(body.results.map(({ index }) => index)).toEqual([0, 1, 2, 3, 4, 5, 6]);
  });

  it('finds on one process what another has just answered', async () => {
    const [one, other] = acme.apis;
    expect(one?.port).not.toBe(other?.port);
    for (let round = 0; round < 100; round += 1) {
      const openId = fresh('o');
      const { user } = await acme.resolved('a1', openId);
      const [byId, byOpenId] = [`/v1/users/${user.id}`, `/v1/identities/a1/${openId}`];
      // They take turns: each of the two is asked of both, and the login is answered by the other in the next round.
      for (const path of [byId, byOpenId, byOpenId, byId])
        expect([path, (await acme.anyone().get(path)).status]).toEqual([path, 200]);
    }
  });

  it('counts a conflict as often as it was seen, not as often as a review of the app looks at it', async () => {
    await acme.resolved('a1', 'first-openid', 'seen-once');
    const { conflictId } = await acme.resolved('a1', 'second-openid', 'seen-once');
    await acme.database.query(`UPDATE app SET review_pending = true WHERE id = 'a1'`);
    const pending = `SELECT FROM app WHERE id = 'a1' AND review_pending`;
    await until(async () => (await acme.database.query(pending)).length === 0, { timeoutMs: 60_000 });
    const { body } = ok(await acme.operator.get(`/v1/conflicts/${conflictId}`));
    expect([body.kind, body.count]).toEqual(['second_open_id', 1]);
    await acme.resolved('a1', 'second-openid', 'seen-once');
    expect(ok(await acme.operator.get(`/v1/conflicts/${conflictId}`)).body.count).toBe(2);
  });
});
