import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { Database } from '#store';
import type { RefusalCode } from '../problem.js';
import { Refusal } from '../problem.js';
import type { ResolveResult } from '../resolve/resolve-one.js';

interface Outcome {
  readonly result?: ResolveResult;
  readonly refusal?: {
    readonly code: RefusalCode;
    readonly message: string;
    readonly details: Record<string, unknown>;
  };
}

const rememberedSeconds = 60;
const waitedMs = 15_000;
const lookEveryMs = 25;

/** What WeChat never saw can be asked again; everything else has spent the code. */
export class CodeNotSpent extends Error {
  override readonly name = 'CodeNotSpent';

  constructor(readonly refusal: Refusal) {
    super(refusal.message);
  }
}

/**
 * A login code answers the same for a minute, on every replica, also while the first exchange is under way: WeChat's
 * client calls a redirect twice, people press Back, and a code is good for one exchange only.
 */
@Injectable()
export class LoginCodes {
  constructor(private readonly database: Database) {}

  async once(appId: string, code: string, exchange: () => Promise<ResolveResult>): Promise<ResolveResult> {
    const digest = createHash('sha256').update(`${appId}\n${code}`).digest();
    if (!(await this.claim(appId, digest))) return unwrap(await this.outcomeOf(appId, digest));
    const outcome = await this.run(appId, digest, exchange);
    await this.database.query({
      text: 'UPDATE login_code SET outcome = $3, user_id = $4 WHERE app_id = $1 AND digest = $2',
      values: [appId, digest, JSON.stringify(outcome), outcome.result?.user.id ?? null],
    });
    return unwrap(outcome);
  }

  /** Takes away what nobody can ask for any more. Answers how many. */
  async sweep(): Promise<number> {
    const rows = await this.database.query({
      text: `DELETE FROM login_code WHERE claimed_at < clock_timestamp() - make_interval(secs => $1) RETURNING 1`,
      values: [2 * rememberedSeconds],
    });
    return rows.length;
  }

  private async run(appId: string, digest: Buffer, exchange: () => Promise<ResolveResult>): Promise<Outcome> {
    try {
      return { result: await exchange() };
    } catch (error) {
      if (error instanceof Refusal)
        return { refusal: { code: error.code, message: error.message, details: { ...error.details } } };
      await this.database.query({
        text: 'DELETE FROM login_code WHERE app_id = $1 AND digest = $2',
        values: [appId, digest],
      });
      throw error instanceof CodeNotSpent ? error.refusal : error;
    }
  }

  private async claim(appId: string, digest: Buffer): Promise<boolean> {
    const rows = await this.database.query({
      name: 'claim-login-code',
      text: `INSERT INTO login_code (app_id, digest) VALUES ($1, $2)
        ON CONFLICT (app_id, digest) DO UPDATE SET claimed_at = clock_timestamp(), outcome = NULL, user_id = NULL
        WHERE login_code.claimed_at < clock_timestamp() - make_interval(secs => $3)
        RETURNING 1`,
      values: [appId, digest, rememberedSeconds],
    });
    return rows.length > 0;
  }

  private async outcomeOf(appId: string, digest: Buffer): Promise<Outcome> {
    const deadline = Date.now() + waitedMs;
    while (Date.now() < deadline) {
      const [row] = await this.database.query<{ outcome: Outcome | null }>({
        name: 'login-code-outcome',
        text: 'SELECT outcome FROM login_code WHERE app_id = $1 AND digest = $2',
        values: [appId, digest],
      });
      if (row === undefined) break;
      if (row.outcome !== null) return row.outcome;
      await delay(lookEveryMs);
    }
    throw new Refusal('wechat_unavailable', 'the first login with this code did not end: log in again with a new code');
  }
}

function unwrap({ result, refusal }: Outcome): ResolveResult {
  if (refusal !== undefined) throw new Refusal(refusal.code, refusal.message, refusal.details);
  if (result === undefined) throw new Error('an outcome is a result or a refusal');
  return result;
}
