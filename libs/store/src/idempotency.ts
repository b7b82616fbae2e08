import type { Database, Transaction } from './database.js';

/** Whose key: `scope` is the entity, or `*` for the operator. `claim` tells one execution from another. */
export interface Claim {
  readonly scope: string;
  readonly key: string;
  readonly claim: string;
}

export interface KnownKey {
  readonly fingerprint: Buffer;
  /** Null while a request runs. */
  readonly status: number | null;
  readonly answer: Buffer | null;
}

/** False: somebody else has it. A claim that was not renewed for `staleSeconds` is taken over. */
export async function claimKey(
  database: Database,
  { scope, key, claim }: Claim,
  fingerprint: Buffer,
  staleSeconds: number,
): Promise<boolean> {
  const rows = await database.query({
    name: 'claim-idempotency-key',
    text: `INSERT INTO idempotency (scope, key, fingerprint, claim) VALUES ($1, $2, $3, $4)
      ON CONFLICT (scope, key) DO UPDATE SET claim = $4, claimed_at = clock_timestamp()
      WHERE idempotency.status IS NULL AND idempotency.fingerprint = $3
        AND idempotency.claimed_at < clock_timestamp() - make_interval(secs => $5)
      RETURNING 1`,
    values: [scope, key, fingerprint, claim, staleSeconds],
  });
  return rows.length > 0;
}

export async function readKey(database: Database, scope: string, key: string): Promise<KnownKey | null> {
  const [row] = await database.query<KnownKey & Record<string, unknown>>({
    name: 'read-idempotency-key',
    text: 'SELECT fingerprint, status, answer FROM idempotency WHERE scope = $1 AND key = $2',
    values: [scope, key],
  });
  return row ?? null;
}

/** What was done under this key by an execution that did not come to its answer. */
export async function readSteps(database: Database, { scope, key }: Claim): Promise<{ n: number; result: Buffer }[]> {
  return database.query<{ n: number; result: Buffer }>({
    name: 'read-idempotency-steps',
    text: 'SELECT n, result FROM idempotency_step WHERE scope = $1 AND key = $2',
    values: [scope, key],
  });
}

/**
 * Writes down steps in the transaction of their effect. Answers how many of the claims still stand: the row lock makes
 * whoever takes a claim over wait for this transaction, and then find the step.
 */
export async function recordSteps(
  transaction: Transaction,
  steps: readonly (Claim & { readonly n: number; readonly result: Buffer })[],
): Promise<number> {
  const rows = await transaction.query({
    name: 'record-idempotency-steps',
    text: `WITH step AS (
        SELECT * FROM unnest($1::text[], $2::text[], $3::uuid[], $4::int[], $5::bytea[]) s (scope, key, claim, n, result)),
      standing AS (
        SELECT i.scope, i.key, i.claim FROM idempotency i
        WHERE (i.scope, i.key, i.claim) IN (SELECT scope, key, claim FROM step) ORDER BY 1, 2 FOR SHARE)
      INSERT INTO idempotency_step (scope, key, n, result)
      SELECT s.scope, s.key, s.n, s.result FROM step s JOIN standing USING (scope, key, claim) RETURNING 1`,
    values: [
      steps.map(({ scope }) => scope),
      steps.map(({ key }) => key),
      steps.map(({ claim }) => claim),
      steps.map(({ n }) => n),
      steps.map(({ result }) => result),
    ],
  });
  return rows.length;
}

/** The answer, from where it is replayed; the steps have done their part. */
export async function settleKey(
  database: Database,
  { scope, key, claim }: Claim,
  settled: { readonly status: number; readonly answer: Buffer; readonly about: readonly string[] },
): Promise<void> {
  await database.query({
    name: 'settle-idempotency-key',
    text: `WITH settled AS (UPDATE idempotency SET status = $4, answer = $5, about = $6
        WHERE scope = $1 AND key = $2 AND claim = $3 RETURNING scope, key)
      DELETE FROM idempotency_step USING settled
      WHERE idempotency_step.scope = settled.scope AND idempotency_step.key = settled.key`,
    values: [scope, key, claim, settled.status, settled.answer, settled.about],
  });
}

/** After a fault of ours: the key is free again or, where something was done already, goes on behind that. */
export async function releaseKey(database: Database, { scope, key, claim }: Claim): Promise<void> {
  await database.query({
    text: `WITH done AS (SELECT 1 FROM idempotency_step WHERE scope = $1 AND key = $2 LIMIT 1),
      freed AS (DELETE FROM idempotency WHERE scope = $1 AND key = $2 AND claim = $3 AND status IS NULL
        AND NOT EXISTS (SELECT FROM done))
      UPDATE idempotency SET claimed_at = clock_timestamp() - interval '1 hour'
      WHERE scope = $1 AND key = $2 AND claim = $3 AND status IS NULL AND EXISTS (SELECT FROM done)`,
    values: [scope, key, claim],
  });
}

/** Those whose row is locked just now are recording a step, and need no renewal to be waited for. */
export async function renewClaims(database: Database, claims: readonly string[]): Promise<void> {
  await database.query({
    text: `UPDATE idempotency SET claimed_at = clock_timestamp() WHERE (scope, key) IN (
      SELECT scope, key FROM idempotency WHERE claim = ANY ($1::uuid[]) AND status IS NULL FOR UPDATE SKIP LOCKED)`,
    values: [claims],
  });
}

export async function sweepKeys(database: Database, keptHours: number): Promise<number> {
  const rows = await database.query({
    text: 'DELETE FROM idempotency WHERE claimed_at < clock_timestamp() - make_interval(hours => $1) RETURNING 1',
    values: [keptHours],
  });
  return rows.length;
}
