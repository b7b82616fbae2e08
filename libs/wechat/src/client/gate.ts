import type { WechatError } from '../errors/wechat-error.js';

/** Above this many troubled (app, endpoint) pairs the oldest is forgotten: a bound for the memory, not a rule. */
const pairsMax = 10_000;
const minuteMs = 60_000;
const dayMs = 24 * 60 * minuteMs;
/** WeChat counts quota days in Beijing, eight hours ahead of UTC, without daylight saving. */
const beijingOffsetMs = 8 * 60 * minuteMs;

export interface GateOptions {
  /** So many failures in a row open the circuit. */
  readonly failuresMax: number;
  /** How long an open circuit lets nothing through; after it one call tries. */
  readonly openMs: number;
  /** How long a call is not made after an answer that only an operator can mend. */
  readonly configurationPauseMs: number;
  /** How often one call tries during a pause until the next day: the quota may have been cleared by hand. */
  readonly quotaProbeMs: number;
  readonly now: () => number;
}

interface Trouble {
  failures: number;
  /** Closed until then; 0 while open to all. */
  closedUntil: number;
  nextProbeAt: number;
  error: WechatError;
  /** The credential that was refused: another one is worth a try at once. */
  fingerprint: string;
}

/** A call that may be made or not: of one app to one endpoint, with this credential. */
export interface GatePass {
  readonly appId: string;
  readonly path: string;
  readonly fingerprint: string;
  /** 45011 counts one person's calls here, and must not stop the others. */
  readonly limitedPerPerson: boolean;
  /** The call is made with a person's own token: what it lacks (48001 after snsapi_base) the others may have. */
  readonly personal: boolean;
}

/**
 * Stops calls that would fail anyway: an open circuit while WeChat is down, a pause while a quota is used up, a short
 * one while the app's set-up is refused. Kept per app and endpoint, so that one app's trouble is no other app's.
 */
export class Gate {
  readonly #options: GateOptions;
  readonly #troubles = new Map<string, Trouble>();

  constructor(options: GateOptions) {
    this.#options = options;
  }

  /** Throws the error that closed the gate, as not sent, while it is closed. */
  enter({ appId, path, fingerprint }: GatePass): void {
    const key = keyOf(appId, path);
    const trouble = this.#troubles.get(key);
    if (trouble === undefined || trouble.closedUntil === 0) return;
    const now = this.#options.now();
    if (trouble.error.reaction === 'configuration' && trouble.fingerprint !== fingerprint) return;
    if (now < trouble.closedUntil && now < trouble.nextProbeAt) {
      throw trouble.error.unsent(Math.min(trouble.closedUntil, trouble.nextProbeAt) - now);
    }
    if (trouble.error.reaction === 'retry_later') {
      // Half open: this call tries, the others wait for what it finds.
      trouble.closedUntil = now + this.#options.openMs;
      trouble.nextProbeAt = trouble.closedUntil;
    } else if (now < trouble.closedUntil) {
      trouble.nextProbeAt = now + this.#options.quotaProbeMs;
    } else {
      this.#troubles.delete(key);
    }
  }

  succeeded({ appId, path }: GatePass): void {
    this.#troubles.delete(keyOf(appId, path));
  }

  failed(pass: GatePass, error: WechatError): void {
    const key = keyOf(pass.appId, pass.path);
    const failures = error.reaction === 'retry_later' ? (this.#troubles.get(key)?.failures ?? 0) + 1 : 0;
    const pauseMs = this.#pauseMs(pass, error, failures);
    if (pauseMs === 0 && failures === 0) {
      // WeChat answered, if not as hoped: the line is fine.
      this.#troubles.delete(key);
      return;
    }
    const now = this.#options.now();
    const closedUntil = pauseMs === 0 ? 0 : now + pauseMs;
    const probed = error.reaction === 'throttled' && pauseMs > minuteMs;
    const nextProbeAt = probed ? now + this.#options.quotaProbeMs : closedUntil;
    this.#troubles.delete(key);
    this.#troubles.set(key, { failures, closedUntil, nextProbeAt, error, fingerprint: pass.fingerprint });
    if (this.#troubles.size > pairsMax) this.#troubles.delete(this.#troubles.keys().next().value ?? key);
  }

  #pauseMs(pass: GatePass, error: WechatError, failures: number): number {
    const now = this.#options.now();
    if (error.reaction === 'retry_later') return failures >= this.#options.failuresMax ? this.#options.openMs : 0;
    if (error.reaction === 'configuration') return pass.personal ? 0 : this.#options.configurationPauseMs;
    if (error.reaction !== 'throttled') return 0;
    if (error.errcode === 45011) return pass.limitedPerPerson ? 0 : minuteMs - (now % minuteMs);
    // 45009 is the daily limit, but mini programs get it for a limit per minute too: only the text tells.
    if (/minute/i.test(error.detail)) return minuteMs - (now % minuteMs);
    return dayMs - ((now + beijingOffsetMs) % dayMs);
  }
}

function keyOf(appId: string, path: string): string {
  return `${appId} ${path}`;
}
