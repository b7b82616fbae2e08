import type { App } from '../world/world.js';
import type { PushFields } from './body.js';

/** The platform's own sender in authorisation events: not the person, who is in OpenID. */
const platformSender = `o${'platform'.repeat(4)}`.slice(0, 28);

export function followed(openId: string, scene: string | undefined): PushFields {
  const base = { FromUserName: openId, Event: 'subscribe' };
  return scene === undefined
    ? { ...base, EventKey: '' }
    : { ...base, EventKey: `qrscene_${scene}`, Ticket: `gQH_${scene}` };
}

export function unfollowed(openId: string): PushFields {
  return { FromUserName: openId, Event: 'unsubscribe', EventKey: '' };
}

export function scanned(openId: string, scene: string): PushFields {
  return { FromUserName: openId, Event: 'SCAN', EventKey: scene, Ticket: `gQH_${scene}` };
}

export function revoked(app: App, openId: string, revokeInfo: string): PushFields {
  return { ...authorisation(app, openId, 'user_authorization_revoke'), RevokeInfo: revokeInfo };
}

export function cancelled(app: App, openId: string): PushFields {
  return authorisation(app, openId, 'user_authorization_cancellation');
}

export function profileModified(app: App, openId: string): PushFields {
  return authorisation(app, openId, 'user_info_modified');
}

/** UnionID stands in WeChat's field table and is missing from its samples; the samples are followed. */
function authorisation(app: App, openId: string, event: string): PushFields {
  return { FromUserName: platformSender, Event: event, OpenID: openId, AppID: app.appId };
}
