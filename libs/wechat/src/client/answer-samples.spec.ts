import { appId, FakeWechat, refusalOf, token } from './fake-wechat.fixture.js';
import type { WechatClient } from './wechat-client.js';

let fake: FakeWechat;
beforeAll(async () => {
  fake = await FakeWechat.open();
});
afterAll(() => fake.close());

const login = (client: WechatClient) => client.code2session({ appId, code: 'the-code' });
const oauth = (client: WechatClient) => client.oauthAccessToken({ appId, code: 'the-code' });
const look = (client: WechatClient) => client.userInfo({ appId, openId: 'oA' });
const page = (client: WechatClient) => client.userGet({ appId });
const key = 'tiihtNczf5v6AKRyjwEUhQ==';

/** WeChat's answers, letter by letter, and what they mean. */
const samples: readonly (readonly [string, string, (client: WechatClient) => Promise<unknown>, unknown])[] = [
  [
    'a login, bound',
    `{"session_key":"${key}","openid":"oAbCdE","unionid":"oUnIoN"}`,
    login,
    { openId: 'oAbCdE', unionId: 'oUnIoN' },
  ],
  ['a login, not bound', `{"session_key":"${key}","openid":"oAbCdE"}`, login, { openId: 'oAbCdE', unionId: null }],
  [
    'an OAuth login, snapshot',
    '{"access_token":"t","expires_in":7200,"refresh_token":"r","openid":"oA","scope":"snsapi_userinfo","is_snapshotuser":1,"unionid":"oU"}',
    oauth,
    { openId: 'oA', unionId: 'oU', isSnapshotUser: true, scopes: ['snsapi_userinfo'] },
  ],
  [
    'a follower',
    '{"subscribe":1,"openid":"oA","nickname":"","sex":0,"language":"zh_CN","city":"","province":"","country":"","headimgurl":"","subscribe_time":1700000000,"unionid":"oU","remark":"","groupid":0,"tagid_list":[],"subscribe_scene":"ADD_SCENE_QR_CODE","qr_scene":0,"qr_scene_str":""}',
    look,
    {
      openId: 'oA',
      unionId: 'oU',
      isFollowing: true,
      followedAtSeconds: 1700000000,
      followScene: 'ADD_SCENE_QR_CODE',
    },
  ],
  [
    'somebody who does not follow',
    '{"subscribe":0,"openid":"oA"}',
    look,
    { openId: 'oA', unionId: null, isFollowing: false, followedAtSeconds: null, followScene: null },
  ],
  [
    'a page of followers',
    '{"total":2,"count":2,"data":{"openid":["o1","o2"]},"next_openid":"o2"}',
    page,
    { total: 2, openIds: ['o1', 'o2'], nextOpenId: null },
  ],
  ['the end', '{"total":2,"count":0,"next_openid":""}', page, { total: 2, openIds: [], nextOpenId: null }],
  [
    'a quota',
    '{"errcode":0,"errmsg":"ok","quota":{"daily_limit":5,"used":2,"remain":3},"rate_limit":{"call_count":9,"refresh_second":60}}',
    (client) => client.quotaGet({ appId, path: '/cgi-bin/user/info' }),
    { dailyLimit: 5, used: 2, remaining: 3 },
  ],
  [
    'the followers of a transferred account',
    '{"errcode":0,"errmsg":"ok","result_list":[{"ori_openid":"oA","new_openid":"oB","err_msg":"ok"},{"ori_openid":"oC","err_msg":"ori_openid error"}]}',
    (client) => client.changeOpenId({ appId, fromAppId: 'wxold', openIds: ['oA', 'oC'] }),
    [
      { oldOpenId: 'oA', newOpenId: 'oB' },
      { oldOpenId: 'oC', newOpenId: null },
    ],
  ],
];

describe('in WeChat’s own words,', () => {
  it.each(samples)('%s is understood', async (_what, answer, call, meaning) => {
    fake.answers(...(call === login || call === oauth ? [] : [token]), answer);
    expect(await call(fake.client())).toMatchObject(meaning as object);
  });

  it('followers and others in one batch are told apart', async () => {
    const answer = '{"user_info_list":[{"subscribe":1,"openid":"oB","unionid":"oU"},{"subscribe":0,"openid":"oA"}]}';
    fake.answers(token, answer);
    const { followers, foreign, missing } = await fake.client().userInfoBatch({ appId, openIds: ['oA', 'oB'] });
    expect([followers.get('oA')?.isFollowing, followers.get('oB')?.unionId]).toEqual([false, 'oU']);
    expect([foreign, missing]).toEqual([[], []]);
  });

  it('who has just paid is known by unionId', async () => {
    fake.answers(token, '{"unionid":"oU","errcode":0,"errmsg":"ok"}');
    expect(await fake.client().getPaidUnionId({ appId, openId: 'oA', transactionId: 't' })).toBe('oU');
  });

  it('what is left of a stable token is how long it lasts', async () => {
    fake.answers('{"access_token":"t","expires_in":345}');
    expect(await fake.client().stableToken({ appId })).toMatchObject({ expiresInSeconds: 345 });
  });

  it.each([
    [40163, 'code been used, rid: 65f1aa-0b-c', login, '65f1aa-0b-c'],
    [40003, 'invalid openid rid: 65f1aa-0b-d', look, '65f1aa-0b-d'],
    [
      40164,
      'invalid ip 203.0.113.7 ipv6 ::ffff:203.0.113.7, not in whitelist rid: 65f1aa-0b-e',
      (client: WechatClient) => client.stableToken({ appId }),
      '65f1aa-0b-e',
    ],
  ])('the refusal %d, "%s", keeps its rid', async (errcode, errmsg, call, rid) => {
    fake.answers(...(call === look ? [token] : []), JSON.stringify({ errcode, errmsg }));
    expect(await refusalOf(call(fake.client()))).toMatchObject({ errcode, rid });
  });
});
