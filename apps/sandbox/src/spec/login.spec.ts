import { refusalOf, Stage } from './stage.js';

let stage: Stage;

beforeAll(async () => {
  stage = await Stage.open();
  await stage.app('wxbound', { openPlatform: 'main' });
  await stage.app('wxsibling', { openPlatform: 'main', kind: 'mini_game' });
  await stage.app('wxelsewhere', { openPlatform: 'other' });
  await stage.app('wxunbound', {});
  await stage.app('wxservice', { kind: 'service_account', openPlatform: 'main' });
  await stage.app('wxsite', { kind: 'website_app', openPlatform: 'main' });
});

afterAll(() => stage.sandbox.close());

async function exchange(person: string, appId: string) {
  const { code } = await stage.logIn(person, appId);
  return stage.client().code2session({ appId, code });
}

async function oauth(person: string, appId: string, more: object = {}) {
  const { code } = await stage.logIn(person, appId, more);
  return stage.client().oauthAccessToken({ appId, code });
}

describe('a mini-program login', () => {
  it('gives the same openId each time, 28 characters that begin like the others of the app', async () => {
    const [first, again, other] = [
      await exchange('mei', 'wxbound'),
      await exchange('mei', 'wxbound'),
      await exchange('lin', 'wxbound'),
    ];
    expect(again.openId).toBe(first.openId);
    expect(first.openId).toMatch(/^o[A-Za-z0-9_-]{27}$/);
    expect(other.openId.slice(0, 6)).toBe(first.openId.slice(0, 6));
    expect(other.openId).not.toBe(first.openId);
  });

  it('gives one unionId in apps of one Open Platform account, another in another, none where there is none', async () => {
    const [bound, sibling, elsewhere, unbound] = [
      await exchange('mei', 'wxbound'),
      await exchange('mei', 'wxsibling'),
      await exchange('mei', 'wxelsewhere'),
      await exchange('mei', 'wxunbound'),
    ];
    expect(sibling.unionId).toBe(bound.unionId);
    expect(sibling.openId).not.toBe(bound.openId);
    expect(elsewhere.unionId).not.toBe(bound.unionId);
    expect(elsewhere.unionId).not.toBeNull();
    expect(unbound.unionId).toBeNull();
  });

  it('takes a code once', async () => {
    const { code } = await stage.logIn('mei', 'wxbound');
    await stage.client().code2session({ appId: 'wxbound', code });
    const again = await refusalOf(stage.client().code2session({ appId: 'wxbound', code }));
    expect(again).toMatchObject({ errcode: 40163, reaction: 'new_code' });
    expect(again.rid).toMatch(/^[0-9a-f-]{20,}$/);
  });

  it("does not know another app's code, a made-up one, or one of another kind of login", async () => {
    const { code } = await stage.logIn('mei', 'wxsibling');
    const { code: oauthCode } = await stage.logIn('mei', 'wxservice');
    for (const wrong of [code, 'made-up']) {
      const call = stage.client().code2session({ appId: 'wxbound', code: wrong });
      expect(await refusalOf(call)).toMatchObject({ errcode: 40029, reaction: 'new_code' });
    }
    expect(await refusalOf(stage.client().code2session({ appId: 'wxservice', code: oauthCode }))).toMatchObject({
      errcode: 40029,
    });
  });

  it('forgets a code after five minutes', async () => {
    const { code } = await stage.logIn('mei', 'wxbound');
    await stage.post('/_control/clock', { advanceSeconds: 301 });
    expect(await refusalOf(stage.client().code2session({ appId: 'wxbound', code }))).toMatchObject({ errcode: 40029 });
  });

  it('checks the secret of an app that has one', async () => {
    await stage.app('wxsecret', { secret: 'right' });
    const { code } = await stage.logIn('mei', 'wxsecret');
    const call = stage.client().code2session({ appId: 'wxsecret', code });
    expect(await refusalOf(call)).toMatchObject({ errcode: 40125, reaction: 'configuration' });
    stage.secrets.set('wxsecret', 'right');
    expect(await stage.client().code2session({ appId: 'wxsecret', code })).toMatchObject({ unionId: null });
  });

  it('of an app nobody registered is refused', async () => {
    const call = stage.client().code2session({ appId: 'wxnobody', code: 'any' });
    expect(await refusalOf(call)).toMatchObject({ errcode: 40013, reaction: 'configuration' });
  });

  it('is open to a hundred a minute for one person, and stays open to the others', async () => {
    await stage.app('wxbusy', {});
    for (let login = 0; login < 100; login += 1) await exchange('eager', 'wxbusy');
    expect(await refusalOf(exchange('eager', 'wxbusy'))).toMatchObject({ errcode: 45011, reaction: 'throttled' });
    expect(await exchange('calm', 'wxbusy')).toMatchObject({ unionId: null });
  });

  it('gets its unionId when the app is bound, and another when it is bound anew', async () => {
    await stage.app('wxmoving', {});
    const before = await exchange('mei', 'wxmoving');
    await stage.post('/_control/bind', { appId: 'wxmoving', openPlatform: 'main' });
    const bound = await exchange('mei', 'wxmoving');
    await stage.post('/_control/bind', { appId: 'wxmoving', openPlatform: 'other' });
    const moved = await exchange('mei', 'wxmoving');
    expect([before.unionId, before.openId]).toEqual([null, bound.openId]);
    expect(moved.openId).toBe(bound.openId);
    expect(moved.unionId).not.toBe(bound.unionId);
  });
});

/** An answer as it is sent. */
async function raw(path: string, appId: string, more: object = {}) {
  const { code } = await stage.logIn('mei', appId, more);
  const query = `appid=${appId}&secret=secret&js_code=${code}&code=${code}&grant_type=authorization_code`;
  return (await stage.get(`${path}?${query}`)).body;
}

describe('the answer to a login', () => {
  const oauthFields = ['access_token', 'expires_in', 'refresh_token', 'openid', 'scope', 'unionid'];

  it.each([
    ['a mini program', '/sns/jscode2session', 'wxbound', {}, ['session_key', 'openid', 'unionid']],
    ['one that is bound to nothing', '/sns/jscode2session', 'wxunbound', {}, ['session_key', 'openid']],
    ['a website', '/sns/oauth2/access_token', 'wxsite', {}, oauthFields],
    ['a snapshot', '/sns/oauth2/access_token', 'wxservice', { snapshot: true }, [...oauthFields, 'is_snapshotuser']],
  ])('of %s has the fields of WeChat’s, and no other', async (_what, path, appId, more, fields) => {
    expect(Object.keys(await raw(path, appId, more)).toSorted()).toEqual(fields.toSorted());
  });

  it('has a session_key of 16 bytes, and says in a number that a person is made up', async () => {
    const { session_key } = await raw('/sns/jscode2session', 'wxbound');
    expect(Buffer.from(String(session_key), 'base64')).toHaveLength(16);
    const snapshot = await raw('/sns/oauth2/access_token', 'wxservice', { snapshot: true });
    expect(snapshot).toMatchObject({ is_snapshotuser: 1, expires_in: 7200 });
  });
});

describe('an OAuth login', () => {
  it('gives the unionId with snsapi_userinfo and snsapi_login, and not with snsapi_base', async () => {
    const { unionId } = await exchange('mei', 'wxbound');
    expect(await oauth('mei', 'wxservice')).toMatchObject({ unionId, scopes: ['snsapi_userinfo'] });
    expect(await oauth('mei', 'wxsite')).toMatchObject({ unionId, scopes: ['snsapi_login'], isSnapshotUser: false });
    expect(await oauth('mei', 'wxservice', { scope: 'snsapi_base' })).toMatchObject({ unionId: null });
  });

  it('tells a snapshot user, whose ids look real and whose unionId is shared with strangers', async () => {
    const [one, other] = [
      await oauth('mei', 'wxservice', { snapshot: true }),
      await oauth('lin', 'wxservice', { snapshot: true }),
    ];
    expect(one).toMatchObject({ isSnapshotUser: true, unionId: other.unionId });
    expect(one.openId).not.toBe(other.openId);
    expect(one.openId).not.toBe((await oauth('mei', 'wxservice')).openId);
  });

  it('lets sns/userinfo be asked with the user token, but not for snsapi_base or a snapshot', async () => {
    const full = await oauth('mei', 'wxservice');
    expect(await stage.client().snsUserInfo({ appId: 'wxservice', ...full })).toEqual({
      openId: full.openId,
      unionId: full.unionId,
    });
    for (const more of [{ scope: 'snsapi_base' }, { snapshot: true }]) {
      const login = await oauth('mei', 'wxservice', more);
      const call = stage.client().snsUserInfo({ appId: 'wxservice', ...login });
      expect(await refusalOf(call)).toMatchObject({ errcode: 48001, reaction: 'configuration' });
    }
  });

  it('ends with the user token, which is not the app token', async () => {
    const login = await oauth('mei', 'wxservice');
    const foreign = stage.client().snsUserInfo({ appId: 'wxservice', ...login, openId: 'oSomebodyElse' });
    expect(await refusalOf(foreign)).toMatchObject({ errcode: 40003, reaction: 'foreign_identity' });
    await stage.post('/_control/clock', { advanceSeconds: 7201 });
    const call = stage.client().snsUserInfo({ appId: 'wxservice', ...login });
    expect(await refusalOf(call)).toMatchObject({ errcode: 42001, reaction: 'user_token_dead' });
  });
});
