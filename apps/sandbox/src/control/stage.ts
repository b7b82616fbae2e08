import { randomBytes } from 'node:crypto';
import { encryptUserData, signRawData } from '#wechat';
import type { Desk } from '../wechat/desk.js';
import { openIdOf, snapshotOpenIdOf } from '../world/names.js';
import type { Scope } from '../world/codes.js';
import type { App } from '../world/world.js';

export interface LoginOrder {
  readonly app: App;
  readonly person: string;
  readonly scope: Scope | undefined;
  readonly isSnapshot: boolean;
}

/** What the person's device gets from WeChat: a code and, in a mini program, the profile to send along. */
export function logIn(desk: Desk, { app, person, scope, isSnapshot }: LoginOrder): object {
  desk.world.people.add(person);
  if (app.kind === 'mini_program' || app.kind === 'mini_game') {
    const { code, login } = desk.codes.issue({ appId: app.appId, person, scope: null, isSnapshot: false }, 'short');
    return { code, openId: openIdOf(app.appId, person), ...profile(desk, app, person, login.sessionKey) };
  }
  const isOfficial = app.kind === 'service_account';
  const granted = scope ?? (app.kind === 'website_app' ? 'snsapi_login' : 'snsapi_userinfo');
  const { code } = desk.codes.issue(
    { appId: app.appId, person, scope: granted, isSnapshot: isSnapshot && isOfficial },
    isOfficial ? 'short' : 'long',
  );
  const openId = isSnapshot && isOfficial ? snapshotOpenIdOf(app.appId, person) : openIdOf(app.appId, person);
  return { code, openId, scope: granted };
}

/** The result of getUserInfo: the anonymous profile of since 2021, with the ids only in the encrypted copy. */
function profile(desk: Desk, app: App, person: string, sessionKey: string): object {
  const shown = {
    nickName: '微信用户',
    gender: 0,
    language: 'zh_CN',
    city: '',
    province: '',
    country: '',
    avatarUrl: '',
  };
  const rawData = JSON.stringify(shown);
  const iv = randomBytes(16).toString('base64');
  const unionId = desk.world.unionIdIn(app, person);
  const fields = {
    openId: openIdOf(app.appId, person),
    ...shown,
    ...(unionId !== undefined && { unionId }),
    watermark: { timestamp: desk.clock.seconds(), appid: app.appId },
  };
  const encryptedData = encryptUserData(fields, { sessionKey, iv });
  desk.sealed.keep(app.appId, encryptedData);
  return {
    encryptedData,
    iv,
    rawData,
    signature: signRawData(rawData, sessionKey),
  };
}
