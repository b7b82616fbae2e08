import { refusalOf, Stage } from './stage.js';

let stage: Stage;

beforeAll(async () => {
  stage = await Stage.open();
  await stage.app('wxprogram', { openPlatform: 'main' });
  await stage.app('wxsibling', { openPlatform: 'main' });
  await stage.app('wxservice', { kind: 'service_account' });
});
afterAll(() => stage.sandbox.close());

const clear = async () => fetch(`${stage.sandbox.url}/_faults`, { method: 'DELETE' });
afterEach(clear);

/** Patient, so that a busy machine spoils nothing, unless the fault is about patience. */
const clientFor = (kind = '') => stage.client(['timeout', 'slow'].includes(kind) ? { totalTimeoutMs: 300 } : {});

async function exchange({ appId = 'wxprogram', kind = '' } = {}) {
  const { code } = await stage.logIn('mei', appId);
  return clientFor(kind).code2session({ appId, code });
}

describe('a fault', () => {
  it.each([
    ['http', {}, 'answered HTTP 502'],
    ['http', { status: 503 }, 'answered HTTP 503'],
    ['html', {}, 'the answer is not JSON'],
    ['empty', {}, 'the answer is empty'],
    ['timeout', {}, 'did not answer in time'],
    ['slow', { delayMs: 1000 }, 'did not answer in time'],
    ['reset', {}, 'cannot be reached'],
  ])('%s with %j ends a login, which is not repeated', async (kind, more, detail) => {
    await stage.fault({ endpoint: 'jscode2session', kind, ...more });
    stage.calls.length = 0;
    const refusal = await refusalOf(exchange({ kind }));
    expect(refusal).toMatchObject({ reaction: 'retry_later', errcode: null, sent: true });
    expect(refusal.detail).toContain(detail);
    expect(stage.calls).toHaveLength(1);
  });

  it('slow within the patience of the caller only delays', async () => {
    await stage.fault({ endpoint: 'jscode2session', kind: 'slow', delayMs: 50 });
    expect(await exchange()).toHaveProperty('openId');
  });

  it('lost-answer spends the code although nobody hears of it', async () => {
    await stage.fault({ endpoint: 'jscode2session', kind: 'lost-answer' });
    const { code } = await stage.logIn('mei', 'wxprogram');
    const ask = async () => stage.client().code2session({ appId: 'wxprogram', code });
    expect(await refusalOf(ask())).toMatchObject({ reaction: 'retry_later', sent: true });
    expect(await refusalOf(ask())).toMatchObject({ errcode: 40163 });
  });

  it.each(['http', 'html', 'empty', 'timeout', 'reset'])(
    '%s leaves the code good: it was never looked at',
    async (kind) => {
      await stage.fault({ endpoint: 'jscode2session', kind });
      const { code } = await stage.logIn('mei', 'wxprogram');
      const ask = async (patience = '') => clientFor(patience).code2session({ appId: 'wxprogram', code });
      await refusalOf(ask(kind));
      expect(await ask()).toHaveProperty('openId');
    },
  );

  it('in a read is got over by trying again', async () => {
    await stage.fault({ endpoint: 'user/get', kind: 'reset' });
    await stage.fault({ endpoint: 'user/get', kind: 'html' });
    expect(await stage.client().userGet({ appId: 'wxservice' })).toMatchObject({ total: 0 });
  });

  it('is met as often as ordered, by the app it was ordered for, and is then gone', async () => {
    await stage.fault({
      endpoint: '/sns/jscode2session',
      appId: 'wxprogram',
      kind: 'errcode',
      errcode: 40226,
      times: 2,
    });
    expect(await exchange({ appId: 'wxsibling' })).toHaveProperty('openId');
    for (let time = 0; time < 2; time += 1) expect(await refusalOf(exchange())).toMatchObject({ errcode: 40226 });
    expect(await exchange()).toHaveProperty('openId');
    expect((await stage.get('/_faults')).body).toEqual({ faults: [] });
  });

  it('for every endpoint is written *', async () => {
    await stage.fault({ endpoint: '*', kind: 'errcode', errcode: -1 });
    expect(await refusalOf(exchange())).toMatchObject({ errcode: -1 });
  });

  it('that is ordered is listed with what it left unsaid, and can be taken back', async () => {
    const { status, body } = await stage.post('/_faults', { endpoint: 'user/info', kind: 'errcode' });
    const fault = {
      endpoint: 'user/info',
      appId: null,
      kind: 'errcode',
      errcode: -1,
      status: 502,
      delayMs: 1000,
      times: 1,
    };
    expect([status, body]).toEqual([200, { faults: [fault] }]);
    expect((await clear()).status).toBe(204);
    expect((await stage.get('/_faults')).body).toEqual({ faults: [] });
  });

  it.each([
    [{ endpoint: 'x', kind: 'unheard of' }],
    [{ kind: 'html' }],
    [{ endpoint: 'x', kind: 'http', status: 200 }],
    [{ endpoint: 'x', kind: 'errcode', errcode: 'many' }],
    [{ endpoint: 'x', kind: 'html', times: 0 }],
    [{ endpoint: 'x', kind: 'html', unheard: 1 }],
  ])('like %j is refused', async (fault) => {
    expect((await stage.post('/_faults', fault)).status).toBe(400);
  });

  it('is written into the journal beside the call it spoiled', async () => {
    await stage.fault({ endpoint: 'jscode2session', kind: 'empty' });
    await refusalOf(exchange());
    const { body } = await stage.get<{ calls: object[] }>('/_control/state');
    expect(body.calls[0]).toMatchObject({
      endpoint: '/sns/jscode2session',
      appId: 'wxprogram',
      errcode: null,
      fault: 'empty',
    });
  });
});
