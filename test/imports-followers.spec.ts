import { brokenInvariants, ok } from './harness/acme.js';
import type { Json } from './harness/http.js';
import { codesOf, importsOf } from './harness/imports.js';
import { type App, startApi } from './harness/processes.js';
import { until } from './harness/until.js';
import { startWechatScene, type WechatScene } from './harness/wechat-scene.js';

/** The follower list of a service account, pulled from a WeChat with WeChat's manners. */
describe('Importing followers', () => {
  let scene: WechatScene;
  const restarted: App[] = [];
  let next = 0;
  const fresh = (letter: string): string => `${letter}${(next += 1)}`;

  beforeAll(async () => {
    scene = await startWechatScene({ apis: 1 });
    await scene.put('game', 'mini_program', 'op1');
  });
  afterEach(async () => {
    const broken = await brokenInvariants(scene.acme.database);
    if (broken.length > 0) throw new Error(`broken: ${JSON.stringify(broken)}`);
  });
  afterAll(async () => {
    await Promise.all(restarted.map((api) => api.stop()));
    await scene.stop();
  });
  const { stateOf, ended, count } = importsOf(() => scene.acme);

  const serviceWith = async (people: readonly string[]): Promise<{ appId: string; openIds: string[] }> => {
    const appId = fresh('service');
    await scene.put(appId, 'service_account', 'op1');
    const { openIds } = ok(await scene.wechat.post('/_control/followers', { appId, people })).body;
    return { appId, openIds };
  };
  const pull = async (appId: string, more: object = {}): Promise<string> =>
    ok(await scene.acme.operator.post('/v1/imports', { kind: 'followers', entityId: 'acme', appId, ...more })).body.id;
  const people = (length: number): string[] => Array.from({ length }, () => fresh('person'));
  const waiting = (id: string): Promise<Json> =>
    until(async () => (await stateOf(id)).waiting, { timeoutMs: 60_000, what: 'the job to wait' });

  it('links them to who is known already, and changes nothing when run again', async () => {
    const who = people(250);
    const { code } = await scene.codeOf(who[0] ?? '', 'game');
    const login = ok(await scene.login('mini-program', 'game', code)).body;
    const { appId, openIds } = await serviceWith(who);
    const job = await ended(await pull(appId));
    expect(job).toMatchObject({
      status: 'done',
      total: 250,
      done: 250,
      failed: 0,
      outcomes: { created: 249, linked: 1 },
    });
    const owner = ok(await scene.acme.operator.get(`/v1/identities/${appId}/${openIds[0]}`)).body.user;
    expect(owner.id).toBe(login.user.id);
    const events = await count('journal');
    expect(await ended(await pull(appId))).toMatchObject({ done: 250, outcomes: { unchanged: 250 } });
    expect(await count('journal')).toBe(events);
    expect(await scene.calls(appId, '/cgi-bin/user/get')).toBe(2);
    expect(await scene.calls(appId, '/cgi-bin/user/info/batchget')).toBe(6);
  });

  it('finds the openId of another app in a batch, reports it, and takes the others', async () => {
    const { appId } = await serviceWith(people(4));
    await scene.fault(appId, 'user/info/batchget', { kind: 'errcode', errcode: 40003, times: 3 });
    const job = await ended(await pull(appId));
    expect(job).toMatchObject({ status: 'done', total: 4, done: 4, failed: 1, outcomes: { created: 3 } });
    expect(codesOf(job)).toEqual([[1, 'foreign_open_id']]);
  });

  it('waits where the quota of the day is used up, and goes on where it stood, also in another process', async () => {
    const { appId } = await serviceWith(people(150));
    await scene.fault(appId, 'user/info/batchget', { kind: 'slow', delayMs: 1, times: 1 });
    await scene.fault(appId, 'user/info/batchget', { kind: 'errcode', errcode: 45009, times: 1 });
    const id = await pull(appId);
    expect(await waiting(id)).toMatchObject({ code: 'wechat_throttled', message: expect.stringContaining('45009') });
    expect(await stateOf(id)).toMatchObject({ status: 'running', total: 150, done: 100, failed: 0 });
    const [api] = scene.acme.apis;
    if (api === undefined) throw new Error('an API runs');
    await api.kill();
    restarted.push(
      await startApi({
        databaseUrl: scene.acme.database.url,
        port: api.port,
        env: { WECHAT_BASE_URL: scene.sandbox.url },
      }),
    );
    expect(await ended(id)).toMatchObject({ status: 'done', done: 150, outcomes: { created: 150 }, waiting: null });
    expect(await scene.calls(appId, '/cgi-bin/user/get')).toBe(1);
    expect(await count('import_line')).toBe(0);
  }, 120_000);

  it('is refused for other kinds of apps, and ends where WeChat refuses the account', async () => {
    const refusal = async (body: object): Promise<unknown[]> => {
      const answer = await scene.acme.operator.post('/v1/imports', { kind: 'followers', entityId: 'acme', ...body });
      return [answer.status, answer.body.code];
    };
    expect(await refusal({ appId: 'game' })).toEqual([409, 'wrong_app_kind']);
    expect(await refusal({ appId: 'nowhere' })).toEqual([404, 'app_not_found']);
    expect(await refusal({})).toEqual([400, 'invalid_request']);
    expect(await refusal({ appId: 'game', items: [] })).toEqual([400, 'invalid_request']);
    const { appId } = await serviceWith(people(1));
    await scene.fault(appId, 'user/get', { kind: 'errcode', errcode: 48001, times: 1 });
    const job = await ended(await pull(appId));
    expect([job.status, codesOf(job)]).toEqual(['failed', [[0, 'wechat_misconfigured']]]);
  });
});
