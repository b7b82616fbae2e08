import { createHash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import type { StoredPush } from '#store';
import { Database, storePushes } from '#store';
import type { PushQuery } from '#wechat';
import { pushWindowMs, readPush, verifyUrl } from '#wechat';
import { Refusal } from '../problem.js';
import type { AppPushSettings } from '../registry/registry.js';
import { Registry } from '../registry/registry.js';
import { WaitingLine } from '../waiting-line.js';

/** A push as it came over HTTP. */
export interface ArrivedPush {
  readonly appId: string;
  readonly query: PushQuery;
  readonly contentType: string | null;
  readonly body: Uint8Array;
}

interface Asked {
  readonly push: ArrivedPush;
  readonly answer: () => void;
  readonly fail: (error: unknown) => void;
}

/** Reading a hundred takes some 10 ms, in which nothing else is answered. */
const pushesPerInsertMax = 100;
const lanes = 2;
const spacingMs = 20;
/** At 2,000 a second two seconds' worth: what waits longer, WeChat has given up by the time it is answered. */
const waitingMax = 4_000;
/** Real ones have one or two KB; what nobody has verified yet may have 64. */
const waitingBytesMax = 16 * 1024 * 1024;

/**
 * The door for WeChat's own posts: who sent it is checked, it is stored, and handled afterwards. What arrives together
 * is stored in one insert, or a busy day would cost one commit a push.
 */
@Injectable()
export class Pushes {
  private readonly line: WaitingLine<Asked>;
  private waitingBytes = 0;
  private second = 0;
  private inSecond = 0;
  private inSecondBefore = 0;

  constructor(
    private readonly registry: Registry,
    private readonly database: Database,
  ) {
    this.line = new WaitingLine({
      lanes,
      batchMax: pushesPerInsertMax,
      spacingMs,
      keysOf: () => [],
      work: (batch) => this.store(batch),
      failed: (batch, error) => batch.forEach((asked) => asked.fail(error)),
    });
  }

  /** WeChat asks whether the URL is ours. Answers what to echo. */
  async verify(appId: string, query: PushQuery): Promise<string> {
    const settings = (await this.registry.pushSettings([appId])).get(appId);
    const check = verifyUrl(query, known(settings).token, Date.now());
    if (!check.ok) throw refused(check.reason);
    return check.echostr;
  }

  /** Answers once the push is stored. What WeChat sent and nobody can read is kept as parked, and is no refusal. */
  receive(push: ArrivedPush): Promise<void> {
    const bytes = push.body.byteLength;
    if (this.line.length >= waitingMax || this.waitingBytes + bytes > waitingBytesMax)
      throw new Refusal('unavailable', 'too many pushes are waiting');
    this.count();
    this.waitingBytes += bytes;
    return new Promise<void>((answer, fail) => this.line.push({ push, answer, fail })).finally(() => {
      this.waitingBytes -= bytes;
    });
  }

  /** How many arrived here in the last full second. */
  arrivedPerSecond(): number {
    this.turnSecond();
    return this.inSecondBefore;
  }

  private count(): void {
    this.turnSecond();
    this.inSecond += 1;
  }

  private turnSecond(): void {
    const second = Math.floor(performance.now() / 1000);
    if (second === this.second) return;
    this.inSecondBefore = second === this.second + 1 ? this.inSecond : 0;
    this.second = second;
    this.inSecond = 0;
  }

  private async store(batch: readonly Asked[]): Promise<void> {
    const settings = await this.registry.pushSettings([...new Set(batch.map(({ push }) => push.appId))]);
    const good: { readonly asked: Asked; readonly stored: StoredPush }[] = [];
    for (const asked of batch) {
      try {
        good.push({ asked, stored: read(asked.push, settings.get(asked.push.appId)) });
      } catch (error) {
        asked.fail(error);
      }
    }
    if (good.length === 0) return;
    await storePushes(
      this.database,
      good.map(({ stored }) => stored),
    );
    for (const { asked } of good) asked.answer();
  }
}

function read({ appId, query, contentType, body }: ArrivedPush, found: AppPushSettings | undefined): StoredPush {
  const settings = known(found);
  const { entityId } = settings;
  const received = readPush({ query, contentType, body, settings, appId, nowMs: Date.now() });
  if (!received.ok && received.refused) throw refused(received.reason);
  if (!received.ok) {
    const dedupeKey = `unreadable:${createHash('sha256').update(received.body).digest('hex')}`;
    const reason = `${received.reason}, ${received.body.byteLength} bytes`;
    return { appId, entityId, dedupeKey, message: null, reason };
  }
  const { event, openId, unionId, revokeInfo, createTimeSeconds, dedupeKey } = received.message;
  const message = { event, openId, unionId, revokeInfo, createdAt: createdAtOf(createTimeSeconds) };
  return { appId, entityId, dedupeKey: digestOf(dedupeKey), message, reason: null };
}

function known(settings: AppPushSettings | undefined): AppPushSettings {
  if (settings === undefined) throw new Refusal('app_not_found', 'no such app, or no push settings');
  return settings;
}

/**
 * As far ahead as a push's timestamp may be, WeChat's clock is believed. One from the far future counts as now, or it would
 * be the newest, for ever or until the window is over, and what really came after it would change nothing.
 */
function createdAtOf(createTimeSeconds: number): string {
  const now = Date.now();
  const at = createTimeSeconds * 1000;
  return new Date(at > now + pushWindowMs ? now : at).toISOString();
}

/** The key names the person: only its digest outlives an erasure. */
function digestOf(dedupeKey: string): string {
  return createHash('sha256').update(dedupeKey).digest('hex');
}

function refused(reason: string): Refusal {
  return new Refusal('push_signature_invalid', `the push was refused: ${reason}`, { reason });
}
