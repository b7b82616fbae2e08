import { type Acme, brokenInvariants, ok, startAcmeOn } from './harness/acme.js';
import { type CuttingProxy, startCuttingProxy } from './harness/cutting-proxy.js';
import { type Database, freshDatabase } from './harness/database.js';
import { http, type Json } from './harness/http.js';
import { type App, operatorKey, startApi } from './harness/processes.js';
import { counted, shortOrWhole } from './harness/torture.js';
import { until } from './harness/until.js';

/**
 * Whatever dies at whichever statement, and however often, late or in whatever order the answers come: a merge that waits
 * for consent is made once or never, never after its deadline, and ends. Whoever sends something sends it until it was
 * taken, as a client does that has heard nothing.
 */
describe('A merge that waits for consent, cut at each statement', () => {
  let database: Database;
  let proxy: CuttingProxy;
  let api: App;
  let acme: Acme;
  let next = 0;
  const isWhole = shortOrWhole(0, 1) === 1;
  const patience = { timeoutMs: 60_000 };

  beforeAll(async () => {
    database = await freshDatabase();
    proxy = await startCuttingProxy(database.url);
    api = await startApi({ databaseUrl: proxy.url });
    acme = await startAcmeOn(database, [api]);
    for (const name of ['points', 'shop'])
      ok(
        await acme.operator.put(`/v1/participants/${name}`, {
          entityId: 'acme',
          acknowledges: ['merge'],
          consents: ['merge'],
          answerWithinSeconds: 600,
        }),
      );
  });
  afterAll(async () => {
    await api.stop();
    proxy.close();
    await database.drop();
  });

  /** Over the process that runs now, which may be another than a moment ago. */
  const post = (path: string, body: object, headers = {}): Promise<{ status: number; body: Json } | null> =>
    http(api.url, operatorKey)
      .post(path, body, { headers })
      .catch(() => null);

  interface Parties {
    readonly source: string;
    readonly target: string;
  }
  type Step = 'open' | 'points accept' | 'points refuse' | 'shop accept' | 'shop done' | 'deadline' | 'clock';

  /** What comes, in which order, and how it has to end. */
  interface Story {
    readonly name: string;
    readonly steps: readonly Step[];
    readonly end: 'merged' | 'rejected';
  }
  const everythingTwice: Story = {
    name: 'everything twice',
    steps: ['open', 'open', 'points accept', 'points accept', 'shop accept', 'shop accept'],
    end: 'merged',
  };
  const stories: readonly Story[] = [
    everythingTwice,
    { name: 'turned round', steps: ['open', 'shop done', 'shop accept', 'points accept'], end: 'merged' },
    { name: 'too late', steps: ['open', 'points accept', 'deadline', 'shop accept'], end: 'rejected' },
    { name: 'lost', steps: ['open', 'points accept', 'clock'], end: 'rejected' },
    {
      name: 'refused, then accepted',
      steps: ['open', 'points refuse', 'points accept', 'shop accept'],
      end: 'rejected',
    },
  ];

  const mergeIdOf = async ({ source }: Parties): Promise<string> => {
    const rows = await database.query<{ id: string }>('SELECT id FROM merge WHERE source_user_id = $1', [source]);
    expect(rows).toHaveLength(1);
    return rows[0]?.id ?? '';
  };

  /** All that the tables say of the case; and whether it holds together, at any moment. */
  const look = async ({ source, target }: Parties): Promise<Json> => {
    const [row] = await database.query<Json>(
      `SELECT m.status, c.decided_at < (SELECT min(deadline_at) FROM consent WHERE merge_id = m.id) AS "inTime",
          (SELECT count(*)::int FROM journal WHERE type = 'identity.UserMerged.v1' AND data ->> 'mergeId' = m.id::text) AS commits,
          (SELECT count(*)::int FROM journal WHERE type = 'identity.MergeProposed.v1' AND data ->> 'mergeId' = m.id::text) AS notices,
          (SELECT array_agg(answer ORDER BY participant) FROM consent WHERE merge_id = m.id) AS answers,
          (SELECT count(*)::int FROM acknowledgement WHERE subject_id = m.id) AS awaited,
          c.due_at IS NOT NULL AS "isWaiting",
          (SELECT array_agg(status || ' ' || version ORDER BY id) FROM users WHERE id IN ($1, $2)) AS users,
          (SELECT merged_into = $2 FROM users WHERE id = $1) AS "isJoined"
        FROM merge m JOIN merge_case c ON c.merge_id = m.id WHERE m.source_user_id = $1`,
      [source, target],
    );
    if (row === undefined) return null;
    const isMerged = row.status === 'merged';
    const merged = { inTime: true, answers: ['accept', 'accept'], awaited: 2 };
    expect(row).toMatchObject({
      notices: 1,
      commits: isMerged ? 1 : 0,
      isJoined: isMerged ? true : null,
      isWaiting: row.status === 'pending_consent',
      ...(isMerged ? merged : {}),
    });
    return row;
  };

  /** The moment when silence becomes a refusal; `isSeen`: the clock is looked at. */
  const passDeadline = (mergeId: string, isSeen: boolean): Promise<unknown> =>
    database.query(
      `WITH late AS (UPDATE consent SET deadline_at = clock_timestamp() - interval '1 second'
          WHERE merge_id = $1 AND answer IS NULL)
        UPDATE merge_case SET due_at = CASE WHEN $2 THEN clock_timestamp() - interval '1 second' ELSE due_at END
          WHERE merge_id = $1`,
      [mergeId, isSeen],
    );

  const say = async (mergeId: string, step: Step): Promise<boolean> => {
    const [participant, status] = step.split(' ');
    return (await post(`/v1/merges/${mergeId}/acknowledgements`, { participant, status }))?.status === 204;
  };

  /** True once it was taken. */
  const send = async (parties: Parties, step: Step): Promise<boolean> => {
    const { source, target } = parties;
    if (step === 'open') {
      const body = { targetUserId: target, sourceUserIds: [source], reason: 'spec' };
      const answer = await post('/v1/merges', body, { 'idempotency-key': `open-${source}` });
      return answer?.status === 200 && answer.body.results[0].outcome === 'pending_consent';
    }
    if (step === 'clock') return isOver(parties);
    const mergeId = await mergeIdOf(parties);
    if (step !== 'deadline') return say(mergeId, step);
    await passDeadline(mergeId, false);
    return true;
  };

  const born = async (): Promise<Parties> => {
    const [source, target] = [(next += 1), (next += 1)];
    return {
      source: (await acme.resolved('a1', `open-${source}-xyz`)).user.id,
      target: (await acme.resolved('a2', `open-${target}-xyz`)).user.id,
    };
  };

  /** What held the dead up for a while is over at once: the claim of its request, its duty. */
  const forgetTheDead = async (): Promise<void> => {
    await database.query(`UPDATE idempotency SET claimed_at = claimed_at - interval '1 minute' WHERE status IS NULL`);
    await database.query('DELETE FROM duty');
  };

  /** Tells one story and cuts one of its steps; answers the statement it was cut at, null where there are not so many. */
  const tell = async (
    { name, steps, end }: Story,
    at: { readonly step: number; readonly statement: number; readonly when: 'before' | 'after' },
    dying: 'connection' | 'process',
  ): Promise<string | null> => {
    const parties = await born();
    let cut: string | null = null;
    let isDead = false;
    const strike = async (): Promise<void> => {
      await api.kill();
      isDead = true;
    };
    for (const [index, step] of steps.entries()) {
      if (index === at.step) proxy.arm({ ...at, ...(dying === 'process' ? { strike } : {}) });
      let isTaken = step === 'clock' ? false : await send(parties, step);
      if (step === 'clock') {
        await passDeadline(await mergeIdOf(parties), true);
        await until(async () => isDead || (await isOver(parties)), patience);
      }
      if (index === at.step) cut = proxy.disarm();
      if (dying === 'process' && cut !== null && index === at.step) {
        await api.exited;
        api = await startApi({ databaseUrl: proxy.url });
        acme = await startAcmeOn(database, [api]);
      }
      await look(parties);
      if (index === at.step && cut !== null) await forgetTheDead();
      await until(async () => (isTaken ||= await send(parties, step)), patience);
    }
    const ended = await look(parties);
    expect([name, at, cut, ended.status]).toEqual([name, at, cut, end]);
    // Whatever comes now is late or repeated.
    const late = steps.filter((step) => step.includes(' '));
    const mergeId = await mergeIdOf(parties);
    expect(await Promise.all([...late, ...late].map((step) => say(mergeId, step)))).not.toContain(false);
    expect(await look(parties)).toEqual(ended);
    return cut;
  };

  const isOver = async (parties: Parties): Promise<boolean> => (await look(parties)).status !== 'pending_consent';

  /** Every step of every story, at every n-th statement; in the short form at one of its statements, in turn. */
  const cutEverywhere = async (dying: 'connection' | 'process', stride: number): Promise<ReadonlySet<string>> => {
    const cuts = new Set<string>();
    let [runs, turn] = [0, 0];
    for (const story of stories)
      for (const [step, what] of story.steps.entries()) {
        if (what === 'deadline' || what === 'shop done') continue;
        turn += 1;
        const whens = isWhole ? (['before', 'after'] as const) : ([turn % 2 === 0 ? 'after' : 'before'] as const);
        for (const when of whens)
          for (let statement = isWhole ? 1 + (turn % stride) : 1 + (turn % 7); ; statement += stride) {
            const cut = await tell(story, { step, statement, when }, dying);
            if (cut === null) break;
            runs += 1;
            cuts.add(cut);
            if (!isWhole) break;
          }
      }
    counted(`consent, ${dying}`, { cuts: runs, statements: cuts.size });
    return cuts;
  };

  it('is made once or never, and ends, when the connection dies at any statement', async () => {
    const cuts = await cutEverywhere('connection', 1);
    // Were it always the same statement, next to nothing would have been tried.
    expect(cuts.size).toBeGreaterThan(4);
    expect(await brokenInvariants(database)).toEqual([]);
  }, 1_800_000);

  it('is made once or never, and ends, when the process is killed', async () => {
    // The short form: the last answer commits, and the process dies of it before anybody hears.
    const last = { step: 4, when: 'after' } as const;
    const cuts = isWhole
      ? await cutEverywhere('process', 3)
      : [
          await tell(everythingTwice, { ...last, statement: 5 }, 'process'),
          await tell(everythingTwice, { ...last, statement: 8 }, 'process'),
        ];
    expect([...cuts]).not.toContain(null);
    expect(await brokenInvariants(database)).toEqual([]);
  }, 3_600_000);
});
