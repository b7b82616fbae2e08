import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { Database } from '#store';
import { v7 } from 'uuid';
import { Refusal } from '../problem.js';
import { IdentitySettings } from '../settings.js';
import { Sealer } from './sealer.js';

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
const waitedMs = 30_000;
/** A claim whose process died is taken over after this long: longer than any request may run. */
const claimSeconds = 30;
const keptHours = 24;

/**
 * The same key with the same request is executed once; whoever comes while it runs waits for its answer. The answer is
 * kept sealed: a login's holds a session, that of a new API key the key itself.
 */
@Injectable()
export class Idempotency {
  /** Under the installation's pepper, which outlives a rotation of SECRETS_KEY: a day's answers need no sealing anew. */
  private readonly sealer: Sealer;

  constructor(
    private readonly database: Database,
    settings: IdentitySettings,
  ) {
    this.sealer = new Sealer(settings.pepper);
  }

  /** Null: this caller's to execute, with `claim` to settle it by. Throws `idempotency_key_reused`. */
  async begin(request: IdempotentRequest): Promise<{ claim: string } | RecordedAnswer> {
    const scope = request.entityId ?? '*';
    const claim = v7();
    const fingerprint = fingerprintOf(request);
    const deadline = Date.now() + waitedMs;
    do {
      const claimed = await this.database.query({
        name: 'claim-idempotency-key',
        text: `INSERT INTO idempotency (scope, key, fingerprint, claim) VALUES ($1, $2, $3, $4)
          ON CONFLICT (scope, key) DO UPDATE SET claim = $4, claimed_at = clock_timestamp()
          WHERE idempotency.status IS NULL AND idempotency.fingerprint = $3
            AND idempotency.claimed_at < clock_timestamp() - make_interval(secs => $5)
          RETURNING 1`,
        values: [scope, request.key, fingerprint, claim, claimSeconds],
      });
      if (claimed.length > 0) return { claim };
      const [row] = await this.database.query<{ fingerprint: Buffer; status: number | null; body: unknown }>({
        name: 'read-idempotency-key',
        text: 'SELECT fingerprint, status, body FROM idempotency WHERE scope = $1 AND key = $2',
        values: [scope, request.key],
      });
      if (row !== undefined && !row.fingerprint.equals(fingerprint))
        throw new Refusal('idempotency_key_reused', 'this Idempotency-Key was used for another request');
      if (row !== undefined && row.status !== null) return { status: row.status, body: this.open(request, row.body) };
      await delay(lookEveryMs);
    } while (Date.now() < deadline);
    throw new Refusal('unavailable', 'the first request with this Idempotency-Key still runs');
  }

  /** Records the answer; of a fault of ours nothing is recorded, so that it can be tried again. */
  async settle(request: IdempotentRequest, claim: string, answer: RecordedAnswer): Promise<void> {
    const scope = request.entityId ?? '*';
    if (answer.status >= 500)
      await this.database.query({
        text: 'DELETE FROM idempotency WHERE scope = $1 AND key = $2 AND claim = $3',
        values: [scope, request.key, claim],
      });
    else
      await this.database.query({
        text: 'UPDATE idempotency SET status = $4, body = $5 WHERE scope = $1 AND key = $2 AND claim = $3',
        values: [scope, request.key, claim, answer.status, this.sealed(request, answer.body)],
      });
  }

  /** As JSON, which the column holds: a text in base64. */
  private sealed(request: IdempotentRequest, body: unknown): string {
    return JSON.stringify(this.sealer.seal(JSON.stringify(body ?? null), placeOf(request)).toString('base64'));
  }

  private open(request: IdempotentRequest, sealed: unknown): unknown {
    // From before answers were sealed.
    if (typeof sealed !== 'string') return sealed;
    return JSON.parse(this.sealer.open(Buffer.from(sealed, 'base64'), placeOf(request)).toString());
  }

  async sweep(): Promise<number> {
    const rows = await this.database.query({
      text: `DELETE FROM idempotency WHERE claimed_at < clock_timestamp() - make_interval(hours => $1) RETURNING 1`,
      values: [keptHours],
    });
    return rows.length;
  }
}

function placeOf({ entityId, key }: IdempotentRequest): string {
  return `idempotency:${entityId ?? '*'}:${key}`;
}

function fingerprintOf({ method, url, body }: IdempotentRequest): Buffer {
  return createHash('sha256')
    .update(`${method} ${url}\n${JSON.stringify(body ?? null)}`)
    .digest();
}
