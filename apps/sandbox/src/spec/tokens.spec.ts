import { refusalOf, Stage } from './stage.js';

let stage: Stage;

beforeAll(async () => {
  stage = await Stage.open();
});
afterAll(() => stage.sandbox.close());

let apps = 0;
const newApp = async (settings: object = {}) => {
  apps += 1;
  return stage.app(`wxtoken${apps}`, { kind: 'service_account', ...settings });
};
const later = async (advanceSeconds: number) => stage.post('/_control/clock', { advanceSeconds });

async function oldLine(appId: string) {
  const query = `grant_type=client_credential&appid=${appId}&secret=any`;
  return (await stage.get<{ access_token: string; errcode?: number }>(`/cgi-bin/token?${query}`)).body;
}

async function errcodeWith(accessToken: string): Promise<number> {
  const { body } = await stage.get<{ errcode?: number }>(`/cgi-bin/user/get?access_token=${accessToken}`);
  return body.errcode ?? 0;
}

describe('stable_token', () => {
  it('gives the same token again, with what is left of it', async () => {
    const appId = await newApp();
    const first = await stage.client().stableToken({ appId });
    await later(600);
    const again = await stage.client().stableToken({ appId });
    expect(again.accessToken).toBe(first.accessToken);
    expect([first.expiresInSeconds, again.expiresInSeconds <= 6600]).toEqual([7200, true]);
  });

  it('rolls the token five minutes before its end, and the old one lives on until then', async () => {
    const appId = await newApp();
    const first = await stage.client().stableToken({ appId });
    await later(7200 - 299);
    const rolled = await stage.client().stableToken({ appId });
    expect(rolled.accessToken).not.toBe(first.accessToken);
    expect([await errcodeWith(first.accessToken), await errcodeWith(rolled.accessToken)]).toEqual([0, 0]);
    await later(300);
    expect(await errcodeWith(first.accessToken)).toBe(42001);
  });

  it('forced kills the token before, at most every thirty seconds and twenty times a day', async () => {
    const appId = await newApp();
    const { accessToken } = await stage.client().stableToken({ appId });
    await stage.client().stableToken({ appId, forceRefresh: true });
    expect(await errcodeWith(accessToken)).toBe(40001);
    const tooSoon = stage.client().stableToken({ appId, forceRefresh: true });
    expect(await refusalOf(tooSoon)).toMatchObject({ errcode: 45011, reaction: 'throttled' });
    await later(30);
    await stage.post('/_control/quotas', { appId, endpoint: '/cgi-bin/stable_token#forced', used: 20 });
    const tooOften = stage.client().stableToken({ appId, forceRefresh: true });
    expect(await refusalOf(tooOften)).toMatchObject({ errcode: 45009, reaction: 'throttled' });
  });

  it('is left alone by the other line', async () => {
    const appId = await newApp();
    const { accessToken } = await stage.client().stableToken({ appId });
    await oldLine(appId);
    await oldLine(appId);
    await later(600);
    expect(await errcodeWith(accessToken)).toBe(0);
  });
});

describe('token, the older line', () => {
  it('gives a new token each time, and the one before it dies after five minutes', async () => {
    const appId = await newApp();
    const [first, second] = [(await oldLine(appId)).access_token, (await oldLine(appId)).access_token];
    expect(first).not.toBe(second);
    expect([await errcodeWith(first), await errcodeWith(second)]).toEqual([0, 0]);
    await later(301);
    expect([await errcodeWith(first), await errcodeWith(second)]).toEqual([42001, 0]);
  });

  it('answers two thousand times a day', async () => {
    const appId = await newApp();
    await stage.post('/_control/quotas', { appId, endpoint: '/cgi-bin/token', used: 2000 });
    expect(await oldLine(appId)).toMatchObject({ errcode: 45009 });
    await later(24 * 3600);
    expect(await oldLine(appId)).toHaveProperty('access_token');
  });
});

describe("the client's token", () => {
  it('is replaced once when another system has killed it', async () => {
    const appId = await newApp();
    const client = stage.client();
    await client.userGet({ appId });
    await stage.client().stableToken({ appId, forceRefresh: true });
    stage.calls.length = 0;
    expect(await client.userGet({ appId })).toMatchObject({ total: 0 });
    expect(stage.calls.map(({ endpoint, errcode }) => [endpoint, errcode])).toEqual([
      ['/cgi-bin/user/get', 40001],
      ['/cgi-bin/stable_token', 0],
      ['/cgi-bin/user/get', 0],
    ]);
  });
});

describe('a token call', () => {
  it.each([
    [41002, { appid: undefined }],
    [40013, { appid: 'wxnobody' }],
    [41004, { secret: undefined }],
    [40125, { secret: 'wrong' }],
    [40002, { grant_type: 'authorization_code' }],
  ])('is refused with %d for %j', async (errcode, change) => {
    const appid = await newApp({ secret: 'right' });
    const body = { grant_type: 'client_credential', appid, secret: 'right', ...change };
    expect((await stage.post('/cgi-bin/stable_token', body)).body).toMatchObject({ errcode });
    const query = new URLSearchParams(JSON.parse(JSON.stringify(body)) as Record<string, string>).toString();
    expect((await stage.get(`/cgi-bin/token?${query}`)).body).toMatchObject({ errcode });
  });

  it('by GET, as a form or as garbage is refused as WeChat does it', async () => {
    const url = `${stage.sandbox.url}/cgi-bin/stable_token`;
    const errcodeOf = async (init: RequestInit): Promise<unknown> => (await fetch(url, init)).json();
    expect(await errcodeOf({})).toMatchObject({ errcode: 43002 });
    expect(await errcodeOf({ method: 'POST', body: new URLSearchParams({ appid: 'wx1' }) })).toMatchObject({
      errcode: 47001,
    });
    expect(await errcodeOf({ method: 'POST', body: '{"appid":' })).toMatchObject({ errcode: 47001 });
    expect(await errcodeOf({ method: 'POST', body: 'x'.repeat(2 * 1024 * 1024) })).toMatchObject({ errcode: 47001 });
  });
});

describe('the quota', () => {
  it('is told by quota/get, for known paths only', async () => {
    const appId = await newApp();
    await stage.client().userGet({ appId });
    expect(await stage.client().quotaGet({ appId, path: '/cgi-bin/user/get' })).toEqual({
      dailyLimit: 500,
      used: 1,
      remaining: 499,
    });
    const unknown = stage.client().quotaGet({ appId, path: '/cgi-bin/nothing' });
    expect(await refusalOf(unknown)).toMatchObject({ errcode: 76021, reaction: 'our_bug' });
  });

  it('ends with 45009 and begins anew at midnight in Beijing', async () => {
    const appId = await newApp();
    await stage.post('/_control/quotas', { appId, endpoint: '/cgi-bin/user/get', used: 500 });
    expect(await refusalOf(stage.client().userGet({ appId }))).toMatchObject({
      errcode: 45009,
      reaction: 'throttled',
    });
    await later(24 * 3600);
    expect(await stage.client().userGet({ appId })).toMatchObject({ total: 0 });
  });

  it('is cleared by clear_quota, with the token or with the secret, ten times a month', async () => {
    const appId = await newApp();
    const spend = async () => stage.post('/_control/quotas', { appId, endpoint: '/cgi-bin/user/get', used: 500 });
    await spend();
    const path = `/cgi-bin/clear_quota?access_token=${await stage.tokenOf(appId)}`;
    expect((await stage.post(path, { appid: appId })).body).toMatchObject({ errcode: 0 });
    expect(await stage.client().userGet({ appId })).toMatchObject({ total: 0 });
    const bySecret = async () => stage.post('/cgi-bin/clear_quota/v2', { appid: appId, appsecret: 'any' });
    for (let time = 2; time <= 10; time += 1) expect((await bySecret()).body).toMatchObject({ errcode: 0 });
    expect((await bySecret()).body).toMatchObject({ errcode: 48006 });
  });
});
