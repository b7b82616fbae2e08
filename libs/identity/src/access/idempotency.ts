import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import type { Claim } from '#store';
import { claimKey, Database, readKey, readSteps, releaseKey, renewClaims, settleKey, sweepKeys } from '#store';
import { v7 } from 'uuid';
import { duringRequest, Effects } from '../change/effects.js';
import { Refusal } from '../problem.js';

export interface RecordedAnswer {
  readonly status: number;
  readonly body: unknown;
}

export interface IdempotentRequest {
  /** The entity; null: the operator. */
  readonly entityId: string | null;
  readonly key: string;
  readonly method: string;
  readonly url: string;
  readonly body: unknown;
}

const lookEveryMs = 25;
/** Longer than any request may run. */
const waitedMs = 30_000;
const renewEveryMs = 1_500;
/** A claim that is not renewed for so long belongs to a process that died, and is taken over. */
const staleSeconds = 5;
const keptHours = 24;
const anyId = /\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/g;

/** The same key with the same request is executed once; whoever comes while it runs waits for its answer. */
@Injectable()
export class Idempotency {
  private readonly held = new Set<string>();
  private renewing: NodeJS.Timeout | null = null;

  constructor(
    private readonly database: Database,
    private readonly effects: Effects,
  ) {}

  /** A claim: this caller's to execute and to settle. Throws `idempotency_key_reused`. */
  async begin(request: IdempotentRequest): Promise<Claim | RecordedAnswer> {
    const claim: Claim = { scope: request.entityId ?? '*', key: request.key, claim: v7() };
    const fingerprint = fingerprintOf(request);
    const deadline = Date.now() + waitedMs;
    do {
      if (await claimKey(this.database, claim, fingerprint, staleSeconds)) return claim;
      const known = await readKey(this.database, claim.scope, claim.key);
      if (known !== null && !known.fingerprint.equals(fingerprint))
        throw new Refusal('idempotency_key_reused', 'this Idempotency-Key was used for another request');
      if (known !== null && known.status !== null && known.answer !== null)
        return { status: known.status, body: this.effects.open(known.answer, claim) };
      await delay(lookEveryMs);
    } while (Date.now() < deadline);
    throw new Refusal('unavailable', 'the first request with this Idempotency-Key still runs');
  }

  /** Executes behind whatever an execution that died has done; the claim is renewed meanwhile. */
  async execute<T>(claim: Claim, work: () => Promise<T>): Promise<T> {
    this.hold(claim);
    try {
      const steps = await readSteps(this.database, claim);
      const done = new Map(steps.map(({ n, result }) => [n, this.effects.open(result, claim)]));
      return await duringRequest({ claim, done, next: 0 }, work);
    } finally {
      this.held.delete(claim.claim);
    }
  }

  /** Records the answer; of a fault of ours nothing is recorded, so that it can be tried again. */
  async settle(claim: Claim, { status, body }: RecordedAnswer): Promise<void> {
    if (status >= 500) return releaseKey(this.database, claim);
    const text = JSON.stringify(body ?? null);
    const answer = this.effects.seal(text, claim);
    await settleKey(this.database, claim, { status, answer, about: [...new Set(text.match(anyId))] });
  }

  sweep(): Promise<number> {
    return sweepKeys(this.database, keptHours);
  }

  /** One small statement for all that run, and none while nothing runs. */
  private hold({ claim }: Claim): void {
    this.held.add(claim);
    this.renewing ??= setInterval(() => {
      if (this.held.size > 0) {
        // Where it fails, the next one is soon; a claim that is lost meanwhile is refused when it records.
        renewClaims(this.database, [...this.held]).catch(() => undefined);
        return;
      }
      if (this.renewing !== null) clearInterval(this.renewing);
      this.renewing = null;
    }, renewEveryMs).unref();
  }
}

function fingerprintOf({ method, url, body }: IdempotentRequest): Buffer {
  return createHash('sha256')
    .update(`${method} ${url}\n${JSON.stringify(body ?? null)}`)
    .digest();
}
