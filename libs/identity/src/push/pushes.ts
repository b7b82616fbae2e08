import { createHash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { Database, storePush } from '#store';
import type { PushQuery } from '#wechat';
import { readPush, verifyUrl } from '#wechat';
import { Refusal } from '../problem.js';
import { Registry } from '../registry/registry.js';

/** The door for WeChat's own posts: who sent it is checked, it is stored in one insert, and handled afterwards. */
@Injectable()
export class Pushes {
  constructor(
    private readonly registry: Registry,
    private readonly database: Database,
  ) {}

  /** WeChat asks whether the URL is ours. Answers what to echo. */
  async verify(appId: string, query: PushQuery): Promise<string> {
    const { token } = await this.settingsOf(appId);
    const check = verifyUrl(query, token, Date.now());
    if (!check.ok) throw refused(check.reason);
    return check.echostr;
  }

  /** Answers once the push is stored. What WeChat sent and nobody can read is kept as parked, and is no refusal. */
  async receive(appId: string, query: PushQuery, contentType: string | null, body: Uint8Array): Promise<void> {
    const { entityId, ...settings } = await this.settingsOf(appId);
    const push = readPush({ query, contentType, body, settings, appId, nowMs: Date.now() });
    if (!push.ok && push.refused) throw refused(push.reason);
    if (!push.ok) {
      const dedupeKey = `unreadable:${createHash('sha256').update(push.body).digest('hex')}`;
      const reason = `${push.reason}, ${push.body.byteLength} bytes`;
      await storePush(this.database, { appId, entityId, dedupeKey, message: null, reason });
      return;
    }
    const { event, openId, unionId, revokeInfo, createTimeSeconds, dedupeKey } = push.message;
    const createdAt = new Date(createTimeSeconds * 1000).toISOString();
    const message = { event, openId, unionId, revokeInfo, createdAt };
    await storePush(this.database, { appId, entityId, dedupeKey: digestOf(dedupeKey), message, reason: null });
  }

  private async settingsOf(appId: string) {
    const settings = await this.registry.pushSettings(appId);
    if (settings === null) throw new Refusal('app_not_found', 'no such app, or no push settings');
    return settings;
  }
}

/** The key names the person: only its digest outlives an erasure. */
function digestOf(dedupeKey: string): string {
  return createHash('sha256').update(dedupeKey).digest('hex');
}

function refused(reason: string): Refusal {
  return new Refusal('push_signature_invalid', `the push was refused: ${reason}`, { reason });
}
