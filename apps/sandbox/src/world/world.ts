import { openIdOf, originalIdOf, unionIdOf } from './names.js';

/** Our registry's words for WeChat's kinds of app. */
export const appKinds = [
  'mini_program',
  'mini_game',
  'service_account',
  'subscription_account',
  'mobile_app',
  'website_app',
] as const;
export type AppKind = (typeof appKinds)[number];

export const pushModes = ['plain', 'compatible', 'safe'] as const;
export const pushFormats = ['xml', 'json'] as const;

export interface PushSettings {
  readonly url: string;
  readonly token: string;
  readonly encodingAesKey: string | null;
  readonly mode: (typeof pushModes)[number];
  readonly format: (typeof pushFormats)[number];
}

export interface AppSettings {
  readonly kind: AppKind;
  readonly name: string;
  /** Checked when set; without one any secret will do. */
  readonly secret: string | null;
  /** The Open Platform account the app is bound to. */
  readonly openPlatform: string | null;
  readonly originalId: string;
  /** An unverified official account may not ask about its followers. */
  readonly verified: boolean;
  readonly push: PushSettings | null;
}

export interface App extends AppSettings {
  readonly appId: string;
  /** Everybody this app has met: openId to person. WeChat knows no others here. */
  readonly people: Map<string, string>;
  /** Person to the second they followed. */
  readonly followers: Map<string, number>;
  /** Person to the millisecond until which user/info does not know yet that they follow. */
  readonly lookedUpTooEarly: Map<string, number>;
}

/** An official account's followers that were moved into another account. */
export interface Migration {
  readonly fromAppId: string;
  readonly toAppId: string;
  readonly approvedAt: number;
  /** Who followed the old account then. */
  readonly followers: ReadonlySet<string>;
}

/** Who is there: the apps, the people, and who has met whom. Gone with the process. */
export class World {
  readonly apps = new Map<string, App>();
  readonly people = new Set<string>();
  readonly migrations: Migration[] = [];

  /** True if the app is new. */
  putApp(appId: string, settings: Omit<AppSettings, 'originalId'> & { readonly originalId?: string }): boolean {
    const before = this.apps.get(appId);
    this.apps.set(appId, {
      ...settings,
      appId,
      originalId: settings.originalId ?? before?.originalId ?? originalIdOf(appId),
      people: before?.people ?? new Map<string, string>(),
      followers: before?.followers ?? new Map<string, number>(),
      lookedUpTooEarly: before?.lookedUpTooEarly ?? new Map<string, number>(),
    });
    return before === undefined;
  }

  /** The person's openId in the app, which knows them from now on. */
  meet(app: App, person: string): string {
    const openId = openIdOf(app.appId, person);
    this.people.add(person);
    app.people.set(openId, person);
    return openId;
  }

  /** Undefined while the app is bound to nothing. */
  unionIdIn(app: App, person: string): string | undefined {
    return app.openPlatform === null ? undefined : unionIdOf(app.openPlatform, person);
  }

  appByOriginalId(originalId: string): App | undefined {
    return [...this.apps.values()].find((app) => app.originalId === originalId);
  }
}
