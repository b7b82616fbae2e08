import { appId, FakeWechat, session, token } from './fake-wechat.fixture.js';
import type { WechatClient } from './wechat-client.js';

let fake: FakeWechat;
beforeAll(async () => {
  fake = await FakeWechat.open();
});
afterAll(() => fake.close());

const login = (given: WechatClient = fake.client()) => given.code2session({ appId, code: 'the-code' });

/** WeChat's batchget: one foreign openId fails the whole call and is not named. */
function refuse(foreign: readonly string[]): (path: string, body: string) => object {
  return (path, body) => {
    if (path === '/cgi-bin/stable_token') return token;
    const asked = (JSON.parse(body) as { user_list: { openid: string }[] }).user_list.map(({ openid }) => openid);
    if (asked.some((openId) => foreign.includes(openId))) return { errcode: 40003, errmsg: 'invalid openid' };
    return { user_info_list: asked.toReversed().map((openid) => ({ subscribe: 0, openid })) };
  };
}

describe('the follower batch', () => {
  const ids = Array.from({ length: 100 }, (_, index) => `o${index}`);

  async function batch(foreign: readonly string[], openIds: readonly string[] = ids) {
    const answer = refuse(foreign);
    fake.answers((request, response) => {
      const { path, body } = fake.seen.at(-1) ?? { path: request.url ?? '', body: '' };
      response.end(JSON.stringify(answer(path, body)));
    });
    return fake.client().userInfoBatch({ appId, openIds });
  }

  it('is matched by openId, not by position', async () => {
    const { followers, foreign, missing } = await batch([]);
    expect([followers.size, foreign, missing]).toEqual([100, [], []]);
    expect(followers.get('o42')).toMatchObject({ openId: 'o42', isFollowing: false });
    expect(fake.seen).toHaveLength(2);
  });

  it('finds foreign openIds by halving and answers for all others', async () => {
    const { followers, foreign } = await batch(['o3', 'o97']);
    expect(foreign).toEqual(['o3', 'o97']);
    expect(followers.size).toBe(98);
    expect(fake.seen.length).toBeLessThan(32);
  });

  it('ends when every openId is foreign', async () => {
    const { foreign } = await batch(ids);
    expect(foreign).toEqual(ids);
    expect(fake.seen).toHaveLength(1 + 199);
  });

  it('names what WeChat passed over and drops what nobody asked for', async () => {
    fake.answers(token, { user_info_list: [{ subscribe: 0, openid: 'oOther' }] });
    const { followers, missing } = await fake.client().userInfoBatch({ appId, openIds: ['oA', 'oA'] });
    expect([followers.size, missing]).toEqual([0, ['oA']]);
  });

  it('takes no more than a hundred, and asks nothing for none', async () => {
    await expect(batch([], [...ids, 'oMore'])).rejects.toThrow(RangeError);
    expect((await batch([], [])).followers.size).toBe(0);
    expect(fake.seen).toHaveLength(0);
  });
});

describe('the other calls', () => {
  it('read a page of followers, its end and an empty one', async () => {
    const openid = Array.from({ length: 10_000 }, (_, index) => `o${index}`);
    fake.answers(token, { total: 10_002, count: 10_000, data: { openid }, next_openid: 'o9999' });
    expect(await fake.client().userGet({ appId })).toMatchObject({ total: 10_002, nextOpenId: 'o9999' });
    fake.answers(token, { total: 2, count: 2, data: { openid: ['oA', 'oB'] }, next_openid: 'oB' });
    expect(await fake.client().userGet({ appId, nextOpenId: 'o9999' })).toEqual({
      total: 2,
      openIds: ['oA', 'oB'],
      nextOpenId: null,
    });
    expect(fake.seen[1]?.query.get('next_openid')).toBe('o9999');
    fake.answers(token, { total: 2, count: 0, next_openid: '' });
    expect(await fake.client().userGet({ appId })).toEqual({ total: 2, openIds: [], nextOpenId: null });
  });

  it('read single failures of changeopenid', async () => {
    const result_list = [
      { ori_openid: 'oA', new_openid: 'oB', err_msg: 'ok' },
      { ori_openid: 'oC', err_msg: 'ori_openid error' },
    ];
    fake.answers(token, { errcode: 0, errmsg: 'ok', result_list });
    expect(await fake.client().changeOpenId({ appId, fromAppId: 'wxold', openIds: ['oA', 'oC'] })).toEqual([
      { oldOpenId: 'oA', newOpenId: 'oB' },
      { oldOpenId: 'oC', newOpenId: null },
    ]);
    // A list, not a list written as text inside: a frequent mistake.
    expect(JSON.parse(fake.seen[1]?.body ?? '')).toEqual({ from_appid: 'wxold', openid_list: ['oA', 'oC'] });
  });

  it('ask for a paid unionId by either name of the order', async () => {
    fake.answers(token, { unionid: 'oU', errcode: 0 });
    const given = fake.client();
    expect(await given.getPaidUnionId({ appId, openId: 'oA', transactionId: 't' })).toBe('oU');
    await given.getPaidUnionId({ appId, openId: 'oA', mchId: 'm', outTradeNo: 'n' });
    expect(fake.seen.slice(1).map(({ query }) => [...query.keys()])).toEqual([
      ['access_token', 'openid', 'transaction_id'],
      ['access_token', 'openid', 'mch_id', 'out_trade_no'],
    ]);
  });

  it('read a quota', async () => {
    fake.answers(token, { errcode: 0, errmsg: 'ok', quota: { daily_limit: 500, used: 20, remain: 480 } });
    expect(await fake.client().quotaGet({ appId, path: '/cgi-bin/user/get' })).toEqual({
      dailyLimit: 500,
      used: 20,
      remaining: 480,
    });
  });

  it('tell a stale session from a current one', async () => {
    const given = fake.client();
    fake.answers(session, token, { errcode: 0, errmsg: 'ok' });
    const { sessionKey } = await login(given);
    expect(await given.checkSession({ appId, openId: 'oA', sessionKey })).toBe(true);
    fake.answers({ errcode: 87009 });
    expect(await given.checkSession({ appId, openId: 'oA', sessionKey })).toBe(false);
  });
});
