import type { Desk } from '../wechat/desk.js';
import { openIdOf } from '../world/names.js';
import type { App } from '../world/world.js';

/** An app as the control API shows it: without its secrets. */
export function appView(app: App): object {
  return {
    appId: app.appId,
    kind: app.kind,
    name: app.name,
    openPlatform: app.openPlatform,
    originalId: app.originalId,
    verified: app.verified,
    hasSecret: app.secret !== null,
    push: app.push === null ? null : { url: app.push.url, mode: app.push.mode, format: app.push.format },
    people: app.people.size,
    followers: app.followers.size,
  };
}

const peopleShownMax = 200;

export function stateView({ world, journal, clock }: Desk): object {
  const apps = [...world.apps.values()];
  return {
    now: new Date(clock.now()).toISOString(),
    apps: apps.map(appView),
    people: [...world.people].slice(-peopleShownMax).map((name) => ({
      name,
      apps: apps
        .map((app) => ({ app, openId: openIdOf(app.appId, name) }))
        .filter(({ app, openId }) => app.people.has(openId))
        .map(({ app, openId }) => ({
          appId: app.appId,
          openId,
          unionId: world.unionIdIn(app, name) ?? null,
          follows: app.followers.has(name),
        })),
    })),
    calls: journal.calls,
    pushes: journal.pushes,
  };
}
