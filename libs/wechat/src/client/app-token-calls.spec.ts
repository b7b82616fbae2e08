import { appId, FakeWechat, follower, refusalOf, token } from './fake-wechat.fixture.js';

let fake: FakeWechat;
beforeAll(async () => {
  fake = await FakeWechat.open();
});
afterAll(() => fake.close());

describe('an idempotent read', () => {
  it('is tried three times while WeChat is busy', async () => {
    fake.answers(token, { errcode: -1 }, { errcode: 268487002 }, follower);
    expect(await fake.client().userInfo({ appId, openId: 'oA' })).toMatchObject({ unionId: 'oU', isFollowing: true });
    expect(fake.seen).toHaveLength(4);
  });

  it('is given up after three', async () => {
    fake.answers(token, { errcode: -1 });
    expect(await refusalOf(fake.client().userInfo({ appId, openId: 'oA' }))).toMatchObject({ errcode: -1 });
    expect(fake.seen).toHaveLength(4);
  });

  it.each([40003, 48001, 40032])('is not repeated after %d', async (errcode) => {
    fake.answers(token, { errcode });
    expect(await refusalOf(fake.client().userInfo({ appId, openId: 'oA' }))).toMatchObject({ errcode });
    expect(fake.seen).toHaveLength(2);
  });
});

describe("the app's token", () => {
  it('is fetched once for many calls at a time', async () => {
    fake.answers(token, follower);
    const given = fake.client();
    await Promise.all(Array.from({ length: 10 }, () => given.userInfo({ appId, openId: 'oA' })));
    expect(fake.seen.filter(({ path }) => path === '/cgi-bin/stable_token')).toHaveLength(1);
  });

  it('is fetched anew five minutes before its end', async () => {
    let now = 0;
    const given = fake.client({ now: () => now });
    fake.answers(token, follower);
    await given.userInfo({ appId, openId: 'oA' });
    now = (7200 - 300) * 1000 - 1;
    await given.userInfo({ appId, openId: 'oA' });
    expect(fake.seen).toHaveLength(3);
    now += 1;
    fake.answers({ ...token, access_token: 'token-2' }, follower);
    await given.userInfo({ appId, openId: 'oA' });
    expect(fake.seen.map(({ path }) => path)).toEqual(['/cgi-bin/stable_token', '/cgi-bin/user/info']);
  });

  it.each([40001, 40014, 42001])('is replaced once after %d, and the call repeated once', async (errcode) => {
    fake.answers(token, { errcode }, { ...token, access_token: 'token-2' }, follower);
    expect(await fake.client().userInfo({ appId, openId: 'oA' })).toMatchObject({ openId: 'oA' });
    expect(fake.seen.map(({ query }) => query.get('access_token'))).toEqual([null, 'token-1', null, 'token-2']);
  });

  it('is forced only when WeChat hands out the failed one again', async () => {
    fake.answers(token, { errcode: 40001 }, token, { ...token, access_token: 'token-2' }, follower);
    await fake.client().userInfo({ appId, openId: 'oA' });
    const forced = fake.seen.map(({ body }) => body && (JSON.parse(body) as Record<string, unknown>)['force_refresh']);
    expect(forced).toEqual([false, '', false, true, '']);
  });

  it('that fails again is a matter for the operator, and no loop', async () => {
    fake.answers(token, { errcode: 40001 }, { ...token, access_token: 'token-2' }, { errcode: 40001 });
    const error = await refusalOf(fake.client().userInfo({ appId, openId: 'oA' }));
    expect(error).toMatchObject({ reaction: 'configuration', errcode: 40001 });
    expect(fake.seen).toHaveLength(4);
  });

  it('that somebody else has replaced meanwhile is not replaced again', async () => {
    const given = fake.client();
    fake.answers(token, { errcode: 42001 }, { ...token, access_token: 'token-2' }, follower);
    // Both start with token-1 in hand; whoever is refused later finds token-2 there.
    await given.userInfo({ appId, openId: 'oA' });
    await given.userInfo({ appId, openId: 'oA' });
    expect(fake.seen.filter(({ path }) => path === '/cgi-bin/stable_token')).toHaveLength(2);
  });

  it('is left alone when the user token is dead', async () => {
    fake.answers({ access_token: 'user-token', openid: 'oA', scope: 'snsapi_userinfo' }, { errcode: 40001 });
    const given = fake.client();
    const { openId, accessToken } = await given.oauthAccessToken({ appId, code: 'c' });
    const error = await refusalOf(given.snsUserInfo({ appId, openId, accessToken }));
    expect(error).toMatchObject({ reaction: 'user_token_dead' });
    expect(fake.seen).toHaveLength(2);
  });

  it('that cannot be had for a wrong secret is a matter of configuration', async () => {
    fake.answers({ errcode: 40001 });
    const error = await refusalOf(fake.client().userInfo({ appId, openId: 'oA' }));
    expect(error).toMatchObject({ reaction: 'configuration', endpoint: '/cgi-bin/stable_token' });
    expect(fake.seen).toHaveLength(1);
  });
});
