import type { CallReport } from '../http/transport.js';
import { appId, FakeWechat, follower, refusalOf, session, token } from './fake-wechat.fixture.js';
import type { WechatClient } from './wechat-client.js';

let fake: FakeWechat;
beforeAll(async () => {
  fake = await FakeWechat.open();
});
afterAll(() => fake.close());

const login = (given: WechatClient = fake.client()) => given.code2session({ appId, code: 'the-code' });

describe('a code exchange', () => {
  it('asks as WeChat wants it', async () => {
    fake.answers(session);
    await login();
    expect(fake.seen.map(({ path, query }) => [path, Object.fromEntries(query)])).toEqual([
      [
        '/sns/jscode2session',
        { appid: appId, secret: 'the-secret', js_code: 'the-code', grant_type: 'authorization_code' },
      ],
    ]);
  });

  it.each([
    ['absent', {}, null],
    ['empty', { unionid: '' }, null],
    ['null', { unionid: null }, null],
    ['padded', { unionid: ' oU1 ' }, 'oU1'],
    ['there', { unionid: 'oU1', errcode: 0, expires_in: 7200 }, 'oU1'],
  ])('gives a unionId that is %s as what it means', async (_what, more, unionId) => {
    fake.answers({ ...session, ...more });
    expect(await login()).toMatchObject({ openId: 'oA', unionId });
  });

  it.each([
    ['empty', ''],
    ['{}', '{}'],
    ['null', 'null'],
    ['HTML', '<html></html>'],
    ['without openid', '{"session_key":"x"}'],
    ['without session_key', '{"openid":"oA"}'],
    ['with an openid that is none', '{"openid":"o A","session_key":"x"}'],
    ['with a number as openid', '{"openid":7,"session_key":"x"}'],
    ['with an object as unionid', '{"openid":"oA","session_key":"x","unionid":{}}'],
  ])('whose answer is %s fails, and is not repeated', async (_what, body) => {
    fake.answers(body);
    expect(await refusalOf(login())).toMatchObject({ reaction: 'retry_later', errcode: null, sent: true });
    expect(fake.seen).toHaveLength(1);
  });

  it('is not repeated when WeChat is busy', async () => {
    fake.answers({ errcode: -1, errmsg: 'system error' }, session);
    expect(await refusalOf(login())).toMatchObject({ reaction: 'retry_later', errcode: -1 });
    expect(fake.seen).toHaveLength(1);
  });

  it('is not repeated when the answer is lost', async () => {
    fake.answers((_request, response) => response.destroy(), session);
    expect(await refusalOf(login())).toMatchObject({ reaction: 'retry_later', errcode: null, sent: true });
    expect(fake.seen).toHaveLength(1);
  });

  it('is bounded in time', async () => {
    fake.answers(() => undefined);
    const error = await refusalOf(login(fake.client({ totalTimeoutMs: 100 })));
    expect(error).toMatchObject({ reaction: 'retry_later', detail: 'did not answer in time' });
  });

  it('is bounded in time also when the answer trickles', async () => {
    fake.answers((_request, response) => {
      response.write('{"openid":');
    });
    expect(await refusalOf(login(fake.client({ totalTimeoutMs: 100 })))).toMatchObject({ reaction: 'retry_later' });
  });

  it('reads no further than the limit', async () => {
    fake.answers(`{"x":"${'x'.repeat(5000)}"}`);
    const error = await refusalOf(login(fake.client({ answerMaxBytes: 1000 })));
    expect(error).toMatchObject({ reaction: 'retry_later', detail: 'the answer is too long' });
  });

  it('follows no redirect: the secret would go with it', async () => {
    fake.answers((_request, response) => response.writeHead(302, { location: `${fake.url}/elsewhere` }).end());
    expect(await refusalOf(login())).toMatchObject({ reaction: 'retry_later' });
    expect(fake.seen.map(({ path }) => path)).toEqual(['/sns/jscode2session']);
  });

  it('knows when nothing was sent, so that the code is still good', async () => {
    const closed = await FakeWechat.open();
    const { url } = closed;
    await closed.close();
    expect(await refusalOf(login(fake.client({ baseUrl: url })))).toMatchObject({
      reaction: 'retry_later',
      sent: false,
    });
    const without = fake.client({ secretOf: () => null });
    expect(await refusalOf(login(without))).toMatchObject({ reaction: 'configuration', sent: false });
  });

  it.each([500, 502, 404])('answered with HTTP %d and HTML fails', async (status) => {
    fake.answers((_request, response) => response.writeHead(status).end('<html></html>'));
    expect(await refusalOf(login())).toMatchObject({ reaction: 'retry_later', detail: `answered HTTP ${status}` });
  });

  it('keeps the rid and says what to do', async () => {
    fake.answers({ errcode: 40163, errmsg: 'code been used, rid: 65f1-2a-b' });
    const error = await refusalOf(login());
    expect(error).toMatchObject({ errcode: 40163, rid: '65f1-2a-b', endpoint: '/sns/jscode2session', appId });
    expect(error.reaction).toBe('new_code');
  });
});

describe('an OAuth exchange', () => {
  it.each([
    [{}, false],
    [{ is_snapshotuser: 0 }, false],
    [{ is_snapshotuser: 1 }, true],
    [{ is_snapshotuser: '1' }, true],
    [{ is_snapshotuser: true }, true],
  ])('with %j knows whether the person is made up: %j', async (more, isSnapshotUser) => {
    fake.answers({ access_token: 't', openid: 'oA', scope: 'snsapi_base,snsapi_userinfo', ...more });
    const answer = await fake.client().oauthAccessToken({ appId, code: 'c' });
    expect(answer).toMatchObject({ isSnapshotUser, scopes: ['snsapi_base', 'snsapi_userinfo'] });
  });
});

describe('the report of a call', () => {
  it('tells app, endpoint, errcode and duration of every attempt', async () => {
    const reports: CallReport[] = [];
    const given = fake.client({ onCall: (report) => reports.push(report) });
    fake.answers(token, { errcode: -1 }, 'garbage', follower);
    await given.userInfo({ appId, openId: 'oA' });
    expect(reports.map(({ endpoint, errcode }) => [endpoint, errcode])).toEqual([
      ['/cgi-bin/stable_token', 0],
      ['/cgi-bin/user/info', -1],
      ['/cgi-bin/user/info', null],
      ['/cgi-bin/user/info', 0],
    ]);
    expect(reports.every(({ durationMs, appId: of }) => durationMs > 0 && of === appId)).toBe(true);
  });

  it('that throws disturbs nothing', async () => {
    fake.answers(session);
    const given = fake.client({
      onCall: () => {
        throw new Error('metrics are broken');
      },
    });
    expect(await login(given)).toMatchObject({ openId: 'oA' });
  });
});

describe('the base URL', () => {
  it.each(['', 'api.weixin.qq.com', 'ftp://host', 'http://user:pass@host', 'http://host/?a=b', 'http://host/#a'])(
    'is refused when it is %j',
    (baseUrl) => {
      expect(() => fake.client({ baseUrl })).toThrow(TypeError);
    },
  );

  it('may have a path, with or without a slash at the end', async () => {
    fake.answers(session);
    await login(fake.client({ baseUrl: `${fake.url}/wechat/` }));
    expect(fake.seen[0]?.path).toBe('/wechat/sns/jscode2session');
  });
});
