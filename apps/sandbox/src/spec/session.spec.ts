import { createHash } from 'node:crypto';
import { isRawDataGenuine, readUserData, SecretText, signWithSession } from '#wechat';
import type { MiniProgramLogin } from '#wechat';
import { refusalOf, Stage } from './stage.js';

let stage: Stage;

beforeAll(async () => {
  stage = await Stage.open();
  await stage.app(appId, { openPlatform: 'main' });
  await stage.app('wxservice', { kind: 'service_account', openPlatform: 'main' });
});
afterAll(() => stage.sandbox.close());

const appId = 'wxprogram';
const later = async (advanceSeconds: number) => stage.post('/_control/clock', { advanceSeconds });

type Device = Record<'code' | 'openId' | 'encryptedData' | 'iv' | 'rawData' | 'signature', string>;

/** What the person's device holds after wx.login and getUserInfo. */
const device = async () => (await stage.post<Device>('/_control/login', { person: 'mei', appId })).body;
const exchange = async (code: string) => stage.client().code2session({ appId, code });

const factsOf = ({ openId, unionId, sessionKey }: MiniProgramLogin) => ({
  appId,
  openId,
  unionId,
  sessionKey: sessionKey.reveal(),
});

describe('the profile of a mini program', () => {
  it('is encrypted for the login it came with, and names the same person', async () => {
    const { code, encryptedData, iv, rawData, signature } = await device();
    const login = await exchange(code);
    expect(readUserData({ encryptedData, iv }, factsOf(login))).toMatchObject({
      ok: true,
      namesPerson: true,
      unconfirmedUnionId: null,
      fields: { openId: login.openId, unionId: login.unionId, watermark: { appid: appId } },
    });
    expect(isRawDataGenuine({ rawData, signature, sessionKey: login.sessionKey.reveal() })).toBe(true);
  });

  it('cannot be read with the session_key of the next login', async () => {
    const { encryptedData, iv } = await device();
    const next = await exchange((await device()).code);
    expect(readUserData({ encryptedData, iv }, factsOf(next)).ok).toBe(false);
  });

  it('is vouched for by checkencryptedmsg, for three days and for its own app', async () => {
    const { encryptedData } = await device();
    const encrypted_msg_hash = createHash('sha256').update(encryptedData).digest('hex');
    const ask = async (of: string) => {
      const path = `/wxa/business/checkencryptedmsg?access_token=${await stage.tokenOf(of)}`;
      return (await stage.post<{ vaild: boolean }>(path, { encrypted_msg_hash })).body.vaild;
    };
    expect([await ask(appId), await ask('wxservice')]).toEqual([true, false]);
    await later(3 * 24 * 3600 + 1);
    expect(await ask(appId)).toBe(false);
  });
});

describe('a session', () => {
  it('is current until the person logs in again', async () => {
    const client = stage.client();
    const first = await exchange((await device()).code);
    expect(await client.checkSession({ appId, ...first })).toBe(true);
    const second = await exchange((await device()).code);
    expect(await client.checkSession({ appId, ...first })).toBe(false);
    expect(await client.checkSession({ appId, ...second })).toBe(true);
  });

  it('of somebody who never logged in is unknown, and of another app foreign', async () => {
    const sessionKey = new SecretText('AAAAAAAAAAAAAAAAAAAAAA==');
    const { body } = await stage.post<{ openId: string }>('/_control/pay', { person: 'lin', appId });
    expect(await stage.client().checkSession({ appId, openId: body.openId, sessionKey })).toBe(false);
    const foreign = stage.client().checkSession({ appId, openId: 'oForeign', sessionKey });
    expect(await refusalOf(foreign)).toMatchObject({ errcode: 40003 });
  });

  it('is replaced by resetusersessionkey', async () => {
    const login = await exchange((await device()).code);
    const query = new URLSearchParams({
      access_token: await stage.tokenOf(appId),
      openid: login.openId,
      signature: signWithSession('', login.sessionKey.reveal()),
      sig_method: 'hmac_sha256',
    }).toString();
    const { body } = await stage.get<Record<string, string>>(`/wxa/resetusersessionkey?${query}`);
    expect(body).toMatchObject({ errcode: 0, openid: login.openId });
    expect(await stage.client().checkSession({ appId, ...login })).toBe(false);
    const renewed = new SecretText(body['session_key'] ?? '');
    expect(await stage.client().checkSession({ appId, openId: login.openId, sessionKey: renewed })).toBe(true);
  });
});

describe('a user token', () => {
  it('is checked by sns/auth and replaced with its refresh token, for thirty days', async () => {
    const { code } = await stage.logIn('mei', 'wxservice');
    const exchangeQuery = `appid=wxservice&secret=any&code=${code}&grant_type=authorization_code`;
    const { body: granted } = await stage.get<Record<string, string>>(`/sns/oauth2/access_token?${exchangeQuery}`);
    const auth = async (openid: string) =>
      (await stage.get(`/sns/auth?access_token=${granted['access_token']}&openid=${openid}`)).body['errcode'];
    expect([await auth(granted['openid'] ?? ''), await auth('oOther')]).toEqual([0, 40003]);
    const refresh = async (appid: string) =>
      (await stage.get(`/sns/oauth2/refresh_token?appid=${appid}&refresh_token=${granted['refresh_token']}`)).body;
    expect(await refresh('wxservice')).toMatchObject({ openid: granted['openid'], scope: 'snsapi_userinfo' });
    expect(await refresh(appId)).toMatchObject({ errcode: 40030 });
    await later(30 * 24 * 3600);
    expect(await refresh('wxservice')).toMatchObject({ errcode: 42002 });
  });
});

describe('web login', () => {
  it('is not granted to an unverified service account', async () => {
    await stage.app('wxunverified', { kind: 'service_account', verified: false });
    const { code } = await stage.logIn('mei', 'wxunverified');
    const call = stage.client().oauthAccessToken({ appId: 'wxunverified', code });
    expect(await refusalOf(call)).toMatchObject({ errcode: 48001, reaction: 'configuration' });
  });

  it('has codes that live ten minutes for websites and mobile apps, five for accounts', async () => {
    await stage.app('wxsite', { kind: 'website_app' });
    await stage.app('wxphone', { kind: 'mobile_app' });
    const codes = [await stage.logIn('mei', 'wxsite'), await stage.logIn('mei', 'wxphone')];
    const { code: short } = await stage.logIn('mei', 'wxservice');
    await later(301);
    const ask = async (of: string, code: string) => stage.client().oauthAccessToken({ appId: of, code });
    expect(await refusalOf(ask('wxservice', short))).toMatchObject({ errcode: 40029 });
    expect(await ask('wxsite', codes[0]?.code ?? '')).toHaveProperty('openId');
    await later(300);
    expect(await refusalOf(ask('wxphone', codes[1]?.code ?? ''))).toMatchObject({ errcode: 40029 });
  });
});

describe('what an app is bound to', () => {
  it('is told by open/get, and by 89002 where it is nothing', async () => {
    await stage.app('wxloose', {});
    const ask = async (of: string) =>
      (await stage.post(`/cgi-bin/open/get?access_token=${await stage.tokenOf(of)}`, { appid: of })).body;
    const bound = await ask(appId);
    expect(bound).toMatchObject({ errcode: 0, open_appid: expect.stringMatching(/^wx[0-9a-f]{16}$/) as string });
    expect(await ask('wxservice')).toEqual(bound);
    expect(await ask('wxloose')).toMatchObject({ errcode: 89002 });
  });
});
