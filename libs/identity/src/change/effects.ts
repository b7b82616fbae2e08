import { AsyncLocalStorage } from 'node:async_hooks';
import { Injectable } from '@nestjs/common';
import type { Claim, Transaction } from '#store';
import { Database, recordSteps } from '#store';
import { Sealer } from '../access/sealer.js';
import { Refusal } from '../problem.js';
import { IdentitySettings } from '../settings.js';

/** A request with an Idempotency-Key, while it runs. */
export interface RunningRequest {
  readonly claim: Claim;
  /** What an execution before this one has done and could not answer any more. */
  readonly done: ReadonlyMap<number, unknown>;
  next: number;
}

/** One effect of such a request. The same request takes its steps in the same order. */
export interface Step {
  readonly claim: Claim;
  readonly n: number;
  readonly known: { readonly result: unknown } | null;
}

const running = new AsyncLocalStorage<RunningRequest | undefined>();

export const duringRequest = <T>(request: RunningRequest, work: () => Promise<T>): Promise<T> =>
  running.run(request, work);

/** For work that is done for many requests at once and must not count for the one that happened to begin it. */
export const outsideRequests = <T>(work: () => Promise<T>): Promise<T> => running.run(undefined, work);

/** The next step of the request that runs; null: it has no Idempotency-Key. */
export function takeStep(): Step | null {
  const request = running.getStore();
  if (request === undefined) return null;
  const n = request.next;
  request.next += 1;
  return { claim: request.claim, n, known: request.done.has(n) ? { result: request.done.get(n) } : null };
}

const placeOf = ({ scope, key }: Claim): string => `idempotency:${scope}:${key}`;

/**
 * Transactions that change something. Within a request with an Idempotency-Key the result is written down in the same
 * transaction: whoever repeats a request whose process died before it could answer is given the result, not a second effect.
 */
@Injectable()
export class Effects {
  /** Under the installation's pepper, which outlives a rotation of SECRETS_KEY: a day's answers need no sealing anew. */
  private sealer: Sealer | null = null;

  constructor(
    private readonly database: Database,
    private readonly settings: IdentitySettings,
  ) {}

  /** A login's answer holds a session, that of a new API key the key itself. */
  seal(json: string, claim: Claim): Buffer {
    return this.sealed().seal(json, placeOf(claim));
  }

  open(sealed: Buffer, claim: Claim): unknown {
    return JSON.parse(this.sealed().open(sealed, placeOf(claim)).toString());
  }

  /** The result must survive JSON. */
  async run<T>(work: (transaction: Transaction) => Promise<T>): Promise<T> {
    const step = takeStep();
    if (step === null) return this.database.transaction(work);
    if (step.known !== null) return step.known.result as T;
    return this.database.transaction(async (transaction) => {
      const result = await work(transaction);
      await this.record(transaction, [{ step, result }]);
      return result;
    });
  }

  async record(transaction: Transaction, done: readonly { step: Step; result: unknown }[]): Promise<void> {
    if (done.length === 0) return;
    const steps = done.map(({ step: { claim, n }, result }) => ({
      ...claim,
      n,
      result: this.seal(JSON.stringify(result ?? null), claim),
    }));
    if ((await recordSteps(transaction, steps)) < steps.length)
      throw new Refusal('unavailable', 'another request with this Idempotency-Key has taken over');
  }

  /** At the first use: not every process that knows these rules has its pepper when it is put together. */
  private sealed(): Sealer {
    return (this.sealer ??= new Sealer(this.settings.pepper));
  }
}
