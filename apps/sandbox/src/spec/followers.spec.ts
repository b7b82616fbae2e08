import { refusalOf, Stage } from './stage.js';

let stage: Stage;

beforeAll(async () => {
  stage = await Stage.open();
  await stage.app('wxservice', { kind: 'service_account', openPlatform: 'main' });
  await stage.app('wxprogram', { openPlatform: 'main' });
  await stage.app('wxunbound', { kind: 'service_account' });
});
afterAll(() => stage.sandbox.close());

const later = async (advanceSeconds: number) => stage.post('/_control/clock', { advanceSeconds });
const follow = async (person: string, appId: string, more: object = {}) =>
  (await stage.post<{ openId: string }>('/_control/follow', { person, appId, ...more })).body.openId;

describe('a look at one follower', () => {
  it('gives the unionId of who follows a bound account, the same as the sibling apps', async () => {
    const openId = await follow('mei', 'wxservice');
    const { code } = await stage.logIn('mei', 'wxprogram');
    const { unionId } = await stage.client().code2session({ appId: 'wxprogram', code });
    expect(await stage.client().userInfo({ appId: 'wxservice', openId })).toMatchObject({
      openId,
      unionId,
      isFollowing: true,
      followScene: 'ADD_SCENE_SEARCH',
    });
  });

  it('gives next to nothing of who does not follow, or no longer does', async () => {
    const openId = await follow('lin', 'wxservice');
    await stage.post('/_control/unfollow', { person: 'lin', appId: 'wxservice' });
    const path = `/cgi-bin/user/info?openid=${openId}&access_token=${await stage.tokenOf('wxservice')}`;
    expect((await stage.get(path)).body).toEqual({ subscribe: 0, openid: openId });
  });

  it('has every field of WeChat’s of who follows, the profile empty', async () => {
    const openId = await follow('mei', 'wxservice');
    const path = `/cgi-bin/user/info?openid=${openId}&access_token=${await stage.tokenOf('wxservice')}`;
    const [nickname, city, province, country, headimgurl, remark, qr_scene_str] = Array.from({ length: 7 }, () => '');
    const profile = { nickname, sex: 0, language: 'zh_CN', city, province, country, headimgurl, remark };
    const scene = { subscribe_scene: 'ADD_SCENE_SEARCH', qr_scene: 0, qr_scene_str };
    const sample = { subscribe: 1, openid: openId, ...profile, ...scene, groupid: 0, tagid_list: [] };
    const { body } = await stage.get(path);
    expect(body).toMatchObject(sample);
    const more = ['subscribe_time', 'unionid'];
    expect(Object.keys(body).toSorted()).toEqual([...Object.keys(sample), ...more].toSorted());
  });

  it('may come too early after the follow', async () => {
    const openId = await follow('hua', 'wxservice', { unknownForSeconds: 60 });
    const ask = async () => stage.client().userInfo({ appId: 'wxservice', openId });
    expect(await ask()).toMatchObject({ isFollowing: false, unionId: null });
    await later(60);
    expect(await ask()).toMatchObject({ isFollowing: true });
  });

  it('has no unionId where the account is bound to nothing', async () => {
    const openId = await follow('mei', 'wxunbound');
    const answer = await stage.client().userInfo({ appId: 'wxunbound', openId });
    expect(answer).toMatchObject({ isFollowing: true, unionId: null });
  });

  it("refuses another app's openId, an unverified account and an app of another kind", async () => {
    const { openId } = await stage.logIn('mei', 'wxprogram');
    const foreign = stage.client().userInfo({ appId: 'wxservice', openId });
    expect(await refusalOf(foreign)).toMatchObject({ errcode: 40003, reaction: 'foreign_identity' });
    await stage.app('wxsmall', { kind: 'subscription_account', verified: false });
    for (const appId of ['wxsmall', 'wxprogram']) {
      expect(await refusalOf(stage.client().userInfo({ appId, openId }))).toMatchObject({
        errcode: 48001,
        reaction: 'configuration',
      });
    }
  });
});

describe('a look at many followers', () => {
  it('gives followers and others mixed, and sets foreign openIds apart', async () => {
    const { openId: foreign } = await stage.logIn('zoe', 'wxprogram');
    const [one, other] = [await follow('ann', 'wxservice'), await follow('bob', 'wxservice')];
    await stage.post('/_control/unfollow', { person: 'bob', appId: 'wxservice' });
    const batch = await stage.client().userInfoBatch({ appId: 'wxservice', openIds: [one, foreign, other] });
    expect(batch).toMatchObject({ foreign: [foreign], missing: [] });
    expect([one, other].map((openId) => batch.followers.get(openId)?.isFollowing)).toEqual([true, false]);
  });

  it.each([
    [40032, { user_list: Array.from({ length: 101 }, () => ({ openid: 'oA' })) }],
    [40097, { user_list: [] }],
    [40097, {}],
    [47001, { user_list: ['oA'] }],
    [47001, []],
  ])('is refused with %d for a wrong list', async (errcode, body) => {
    const path = `/cgi-bin/user/info/batchget?access_token=${await stage.tokenOf('wxservice')}`;
    expect((await stage.post(path, body)).body).toMatchObject({ errcode });
  });
});

describe('the list of followers', () => {
  it('comes in pages of ten thousand and ends with a short one', async () => {
    await stage.app('wxbig', { kind: 'service_account', openPlatform: 'main' });
    const people = Array.from({ length: 10_001 }, (_, index) => `fan${index}`);
    await stage.post('/_control/followers', { appId: 'wxbig', people });
    const first = await stage.client().userGet({ appId: 'wxbig' });
    expect([first.total, first.openIds.length]).toEqual([10_001, 10_000]);
    const second = await stage.client().userGet({ appId: 'wxbig', nextOpenId: first.nextOpenId });
    expect([second.openIds.length, second.nextOpenId]).toEqual([1, null]);
    expect(new Set([...first.openIds, ...second.openIds]).size).toBe(10_001);
  });

  it('goes on where it was although the person at the cursor has left', async () => {
    const [person] = ['fan0'];
    const { openId } = (await stage.post<{ openId: string }>('/_control/unfollow', { person, appId: 'wxbig' })).body;
    const rest = await stage.client().userGet({ appId: 'wxbig', nextOpenId: openId });
    expect(rest.openIds.every((other) => other > openId)).toBe(true);
  });

  it('has no data where there is nobody, and names a next openid on the last page too', async () => {
    await stage.app('wxempty', { kind: 'service_account' });
    const raw = async () => (await stage.get(`/cgi-bin/user/get?access_token=${await stage.tokenOf('wxempty')}`)).body;
    expect(await raw()).toEqual({ total: 0, count: 0, next_openid: '' });
    const openId = await follow('mei', 'wxempty');
    expect(await raw()).toEqual({ total: 1, count: 1, data: { openid: [openId] }, next_openid: openId });
  });

  it('refuses a cursor nobody knows', async () => {
    const call = stage.client().userGet({ appId: 'wxservice', nextOpenId: 'oNobody' });
    expect(await refusalOf(call)).toMatchObject({ errcode: 40003 });
  });
});

describe('the transfer of an account', () => {
  it('gives new openIds for the followers it had, for fifteen days, to either name of the old account', async () => {
    await stage.app('wxold', { kind: 'service_account', openPlatform: 'main', originalId: 'gh_old' });
    await stage.app('wxnew', { kind: 'service_account', openPlatform: 'main' });
    const openId = await follow('mei', 'wxold');
    const { openId: visitor } = await stage.logIn('lin', 'wxold');
    const change = async (fromAppId: string) =>
      stage.client().changeOpenId({ appId: 'wxnew', fromAppId, openIds: [openId, visitor] });
    expect(await refusalOf(change('wxold'))).toMatchObject({ errcode: 63178, reaction: 'configuration' });

    await stage.post('/_control/migrations', { fromAppId: 'wxold', toAppId: 'wxnew' });
    const [mine, theirs] = await change('wxold');
    expect(theirs).toEqual({ oldOpenId: visitor, newOpenId: null });
    expect(await change('gh_old')).toEqual([mine, theirs]);
    expect(mine?.newOpenId).not.toBe(openId);
    expect(await stage.client().userInfo({ appId: 'wxnew', openId: mine?.newOpenId ?? '' })).toMatchObject({
      isFollowing: true,
      followScene: 'ADD_SCENE_ACCOUNT_MIGRATION',
    });
    await later(15 * 24 * 3600);
    expect(await refusalOf(change('wxold'))).toMatchObject({ errcode: 63178 });
  });

  it.each([
    [63182, []],
    [63183, '["oA"]'],
    [63183, Array.from({ length: 101 }, () => 'oA')],
  ])('is refused with %d for a wrong list', async (errcode, openid_list) => {
    const path = `/cgi-bin/changeopenid?access_token=${await stage.tokenOf('wxnew')}`;
    expect((await stage.post(path, { from_appid: 'wxold', openid_list })).body).toMatchObject({ errcode });
  });
});

describe('the unionId of who paid', () => {
  it('is given for five minutes, by either name of the order', async () => {
    const { body: order } = await stage.post<Record<'openId' | 'transactionId' | 'mchId' | 'outTradeNo', string>>(
      '/_control/pay',
      { person: 'mei', appId: 'wxprogram' },
    );
    const { openId, transactionId, mchId, outTradeNo } = order;
    const ask = async (named: { transactionId: string } | { mchId: string; outTradeNo: string }) =>
      stage.client().getPaidUnionId({ appId: 'wxprogram', openId, ...named });
    expect(await ask({ transactionId })).toBe(await ask({ mchId, outTradeNo }));
    await later(301);
    expect(await refusalOf(ask({ transactionId }))).toMatchObject({ errcode: 89300, reaction: 'no_such_order' });
  });

  it('is not given to an app that is bound to nothing, nor for an openId of another app', async () => {
    await stage.app('wxloose', {});
    const { openId } = await stage.logIn('mei', 'wxloose');
    await stage.post('/_control/pay', { person: 'mei', appId: 'wxloose', transactionId: 't1' });
    const paid = async (appId: string) => stage.client().getPaidUnionId({ appId, openId, transactionId: 't1' });
    expect(await refusalOf(paid('wxloose'))).toMatchObject({ errcode: 89002, reaction: 'configuration' });
    expect(await refusalOf(paid('wxprogram'))).toMatchObject({ errcode: 40003 });
  });
});
