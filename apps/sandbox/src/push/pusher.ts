import { setTimeout as pause } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { PushEntry } from '../world/journal.js';
import type { App } from '../world/world.js';
import type { Desk } from '../wechat/desk.js';
import { envelopeFor } from './body.js';
import type { PushFields } from './body.js';

/** Not answered within five seconds counts as failed, and is repeated up to three times. */
const answerWithinMs = 5000;
const triesMax = 4;
const betweenTriesMs = 200;
const answerMaxBytes = 200;

/** Delivers pushes to the apps' push URLs, the way WeChat does. */
export class Pusher {
  readonly #desk: Desk;
  readonly #logger: Logger;
  readonly #underWay = new Set<Promise<unknown>>();
  readonly #closing = new AbortController();

  constructor(desk: Desk, logger: Logger) {
    this.#desk = desk;
    this.#logger = logger;
  }

  /** Starts the delivery; `delivered` settles with its end, and never fails. */
  send(app: App, fields: PushFields, person: string | null): { entry: PushEntry; delivered: Promise<void> } {
    const complete: PushFields = {
      ToUserName: app.originalId,
      CreateTime: this.#desk.clock.seconds(),
      MsgType: 'event',
      ...fields,
    };
    const event = complete['Event'] ?? complete['MsgType'];
    const entry = this.#desk.journal.push({
      at: new Date(this.#desk.clock.now()).toISOString(),
      appId: app.appId,
      event: typeof event === 'string' ? event : 'unnamed',
      person,
    });
    const delivered = this.#deliver(app, complete, entry);
    this.#underWay.add(delivered);
    void delivered.finally(() => this.#underWay.delete(delivered));
    return { entry, delivered };
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.all(this.#underWay);
  }

  async #deliver(app: App, fields: PushFields, entry: PushEntry): Promise<void> {
    if (app.push === null) {
      entry.status = 'no push url';
      return;
    }
    while (entry.attempts < triesMax && !this.#closing.signal.aborted) {
      entry.attempts += 1;
      // Signed anew each time: nothing is known of whether WeChat reuses timestamp and nonce.
      entry.lastAnswer = await this.#post(envelopeFor(app, app.push, fields));
      if (entry.lastAnswer === 'success' || entry.lastAnswer === '') {
        entry.status = 'delivered';
        this.#logger.info({ appId: app.appId, event: entry.event, attempts: entry.attempts }, 'push delivered');
        return;
      }
      await pause(betweenTriesMs, undefined, { signal: this.#closing.signal }).catch(() => undefined);
    }
    entry.status = 'failed';
    this.#logger.warn({ appId: app.appId, event: entry.event, lastAnswer: entry.lastAnswer }, 'push failed');
  }

  async #post({ url, body, contentType }: ReturnType<typeof envelopeFor>): Promise<string> {
    try {
      const response = await fetch(url, {
        method: 'POST',
        headers: { 'content-type': contentType },
        body,
        redirect: 'error',
        signal: AbortSignal.any([AbortSignal.timeout(answerWithinMs), this.#closing.signal]),
      });
      const answer = await beginningOf(response);
      return response.status === 200 ? answer : `HTTP ${response.status} ${answer}`;
    } catch (error) {
      return error instanceof Error ? `not answered: ${error.name}` : 'not answered';
    }
  }
}

/** Reads no further than it shows: an answer may be of any length. */
async function beginningOf(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    chunks.push(chunk);
    size += chunk.byteLength;
    if (size >= answerMaxBytes) break;
  }
  return Buffer.concat(chunks).subarray(0, answerMaxBytes).toString();
}
