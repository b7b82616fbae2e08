import { Injectable } from '@nestjs/common';
import type { Transaction } from '#store';
import { Database, putEntity, putOpenPlatform } from '#store';
import type { Author } from '../access/deeds.js';
import { Sealer } from '../access/sealer.js';
import { Refusal } from '../problem.js';
import type { PushSettings } from '#wechat';
import { recordApp, recordNaming } from './registry-deeds.js';

export const appKinds = [
  'mini_program',
  'mini_game',
  'service_account',
  'subscription_account',
  'mobile_app',
  'website_app',
] as const;
export type AppKind = (typeof appKinds)[number];
export type PushMode = 'plain' | 'compatible' | 'safe';

/** What a push to an app is read with. */
export interface AppPushSettings extends PushSettings {
  readonly entityId: string;
}

export interface Named {
  readonly id: string;
  readonly name: string;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

export interface AppView extends Named {
  readonly entityId: string;
  readonly kind: AppKind;
  readonly openPlatformId: string | null;
  readonly originalId: string | null;
  readonly sandbox: boolean;
  readonly cloudHosting: boolean;
  readonly hasSecret: boolean;
  readonly hasPush: boolean;
}

export interface AppSettings {
  readonly kind: AppKind;
  readonly name: string;
  /** Undefined keeps the binding, null unbinds. */
  readonly openPlatformId?: string | null | undefined;
  readonly originalId?: string | null | undefined;
  /** Undefined keeps the secret: it is never returned, so it cannot be sent back. */
  readonly appSecret?: string | undefined;
  readonly push?:
    { readonly token: string; readonly encodingAesKey?: string | undefined; readonly mode: PushMode } | undefined;
  readonly sandbox?: boolean | undefined;
  readonly cloudHosting?: boolean | undefined;
}

interface Page {
  readonly after: string | null;
  readonly limit: number;
}

/** Entities, their Open Platform accounts and their apps. Secrets are sealed on the way in and opened only for WeChat. */
@Injectable()
export class Registry {
  constructor(
    private readonly database: Database,
    private readonly sealer: Sealer,
  ) {}

  async putEntity(id: string, name: string, by: Author): Promise<{ created: boolean; value: Named }> {
    return this.database.transaction(async (transaction) => {
      const put = await putEntity(transaction, { id, name });
      await recordNaming(transaction, { ...by, entityId: id, subject: id }, 'entity', put);
      return put;
    });
  }

  async entity(id: string): Promise<Named> {
    const row = await this.database.prisma.entity.findUnique({ where: { id } });
    if (row === null) throw new Refusal('entity_not_found', 'no such entity');
    return row;
  }

  entities(page: Page, only: string | null): Promise<Named[]> {
    return this.database.prisma.entity.findMany({
      where: { AND: [only === null ? {} : { id: only }, page.after === null ? {} : { id: { gt: page.after } }] },
      orderBy: { id: 'asc' },
      take: page.limit,
    });
  }

  async putOpenPlatform(
    entityId: string,
    id: string,
    name: string,
    by: Author,
  ): Promise<{ created: boolean; value: Named }> {
    await this.entity(entityId);
    return this.database.transaction(async (transaction) => {
      const put = await putOpenPlatform(transaction, { entityId, id, name });
      await recordNaming(transaction, { ...by, entityId, subject: id }, 'open_platform', put);
      return put;
    });
  }

  async openPlatform(entityId: string, id: string): Promise<Named> {
    const row = await this.database.prisma.openPlatform.findUnique({ where: { entityId_id: { entityId, id } } });
    if (row === null) throw new Refusal('open_platform_not_found', 'no such Open Platform account');
    return row;
  }

  async openPlatforms(entityId: string, page: Page): Promise<Named[]> {
    await this.entity(entityId);
    return this.database.prisma.openPlatform.findMany({
      where: { entityId, ...(page.after === null ? {} : { id: { gt: page.after } }) },
      orderBy: { id: 'asc' },
      take: page.limit,
    });
  }

  /**
   * Declares an app. A changed `openPlatformId` is a rebind: the former account is remembered, and what was seen under
   * another binding is looked at again by `AppReview` within seconds.
   */
  async putApp(
    entityId: string,
    id: string,
    settings: AppSettings,
    by: Author,
  ): Promise<{ created: boolean; value: AppView }> {
    await this.entity(entityId);
    if (typeof settings.openPlatformId === 'string') await this.openPlatform(entityId, settings.openPlatformId);
    return this.database.transaction(async (transaction) => {
      const inserted = await transaction.query({
        text: `INSERT INTO app (id, entity_id, kind, name) VALUES ($1, $2, $3, $4) ON CONFLICT (id) DO NOTHING RETURNING id`,
        values: [id, entityId, settings.kind, settings.name],
      });
      const [before] = await transaction.query<AppRow>({
        text: 'SELECT * FROM app WHERE id = $1 FOR UPDATE',
        values: [id],
      });
      if (before === undefined || before.entity_id !== entityId)
        throw new Refusal('app_id_taken', 'this appId is registered by another entity');
      const bound = settings.openPlatformId === undefined ? before.open_platform_id : settings.openPlatformId;
      const rebound = bound !== before.open_platform_id;
      const [row] = await transaction.query<AppRow>({
        text: `UPDATE app SET kind = $2, name = $3, open_platform_id = $4, original_id = coalesce($5, original_id),
            app_secret = coalesce($6, app_secret), push_token = coalesce($7, push_token),
            push_aes_key = CASE WHEN $7::bytea IS NULL THEN push_aes_key ELSE $8 END, push_mode = coalesce($9, push_mode),
            sandbox = coalesce($10, sandbox), cloud_hosting = coalesce($12, cloud_hosting), updated_at = clock_timestamp(),
            bound_since = CASE WHEN $11 THEN clock_timestamp() ELSE bound_since END,
            former_open_platform_ids = CASE WHEN $11 AND open_platform_id IS NOT NULL
              THEN array_append(array_remove(former_open_platform_ids, open_platform_id), open_platform_id)
              ELSE former_open_platform_ids END,
            review_pending = review_pending OR $11
          WHERE id = $1 RETURNING *`,
        values: [
          id,
          settings.kind,
          settings.name,
          bound,
          settings.originalId ?? null,
          ...this.sealed(id, settings),
          rebound,
          settings.cloudHosting ?? null,
        ],
      });
      if (rebound) await this.recordBinding(transaction, id, bound);
      if (row === undefined) throw new Error('the app that is locked is there');
      const created = inserted.length > 0;
      const author = { ...by, entityId, subject: id };
      await recordApp(transaction, author, created, settings, [appView(before), appView(row)]);
      return { created, value: appView(row) };
    });
  }

  async app(entityId: string, id: string): Promise<AppView> {
    const [row] = await this.database.query<AppRow>({
      text: 'SELECT * FROM app WHERE id = $1 AND entity_id = $2',
      values: [id, entityId],
    });
    if (row === undefined) throw new Refusal('app_not_found', 'no such app');
    return appView(row);
  }

  async apps(entityId: string, page: Page): Promise<AppView[]> {
    await this.entity(entityId);
    const rows = await this.database.query<AppRow>({
      text: 'SELECT * FROM app WHERE entity_id = $1 AND ($2::text IS NULL OR id > $2) ORDER BY id LIMIT $3',
      values: [entityId, page.after, page.limit],
    });
    return rows.map(appView);
  }

  /** Whether the app is there for this caller. */
  async isAppOf(id: string, entityId: string | null): Promise<boolean> {
    const row = await this.database.prisma.app.findUnique({ where: { id }, select: { entityId: true } });
    return row !== null && (entityId === null || row.entityId === entityId);
  }

  /** What WeChat needs to know of an app; the secret in clear, for the length of one call. */
  async credentials(
    id: string,
    entityId: string | null,
  ): Promise<{
    entityId: string;
    kind: AppKind;
    appSecret: string | null;
    openPlatformId: string | null;
    cloudHosting: boolean;
  }> {
    const row = await this.database.prisma.app.findUnique({ where: { id } });
    if (row === null || (entityId !== null && row.entityId !== entityId))
      throw new Refusal('app_not_found', 'no such app');
    return {
      entityId: row.entityId,
      kind: row.kind as AppKind,
      openPlatformId: row.openPlatformId,
      cloudHosting: row.cloudHosting,
      appSecret: row.appSecret === null ? null : this.sealer.open(row.appSecret, `app:${id}:secret`).toString(),
    };
  }

  /** Null: no such app, or no push settings. */
  /** Of those apps that have any. Plain SQL: each push asks, and it costs a third of what Prisma does. */
  async pushSettings(ids: readonly string[]): Promise<Map<string, AppPushSettings>> {
    const rows = await this.database.query<PushRow>({
      name: 'push-settings',
      text: `SELECT id, entity_id, push_token, push_aes_key, push_mode FROM app
        WHERE id = ANY ($1) AND push_token IS NOT NULL AND push_mode IS NOT NULL`,
      values: [ids],
    });
    return new Map(
      rows.map(({ id, entity_id: entityId, push_token: token, push_aes_key: aesKey, push_mode: mode }) => [
        id,
        {
          entityId,
          mode,
          token: this.sealer.open(token, `app:${id}:push-token`).toString(),
          encodingAesKey: aesKey === null ? null : this.sealer.open(aesKey, `app:${id}:push-aes-key`).toString(),
        },
      ]),
    );
  }

  private sealed(id: string, settings: AppSettings): unknown[] {
    const seal = (plain: string | undefined, what: string): Buffer | null =>
      plain === undefined ? null : this.sealer.seal(plain, `app:${id}:${what}`);
    return [
      seal(settings.appSecret, 'secret'),
      seal(settings.push?.token, 'push-token'),
      seal(settings.push?.encodingAesKey, 'push-aes-key'),
      settings.push?.mode ?? null,
      settings.sandbox ?? null,
    ];
  }

  private async recordBinding(transaction: Transaction, appId: string, openPlatformId: string | null): Promise<void> {
    await transaction.query({
      text: 'UPDATE app_binding SET bound_until = clock_timestamp() WHERE app_id = $1 AND bound_until IS NULL',
      values: [appId],
    });
    if (openPlatformId === null) return;
    await transaction.query({
      text: 'INSERT INTO app_binding (app_id, open_platform_id) VALUES ($1, $2)',
      values: [appId, openPlatformId],
    });
  }
}

interface PushRow {
  id: string;
  entity_id: string;
  push_token: Buffer;
  push_aes_key: Buffer | null;
  push_mode: PushMode;
}

interface AppRow {
  id: string;
  entity_id: string;
  kind: AppKind;
  name: string;
  open_platform_id: string | null;
  original_id: string | null;
  app_secret: Buffer | null;
  push_token: Buffer | null;
  sandbox: boolean;
  cloud_hosting: boolean;
  created_at: Date;
  updated_at: Date;
}

function appView(row: AppRow): AppView {
  return {
    id: row.id,
    entityId: row.entity_id,
    kind: row.kind,
    name: row.name,
    openPlatformId: row.open_platform_id,
    originalId: row.original_id,
    sandbox: row.sandbox,
    cloudHosting: row.cloud_hosting,
    hasSecret: row.app_secret !== null,
    hasPush: row.push_token !== null,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}
