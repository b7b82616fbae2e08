import { setTimeout as delay } from 'node:timers/promises';
import { http } from '../harness/http.js';
import { operatorKey } from '../harness/processes.js';

/** What a caller was told, and may rely on from then on. */
export interface Acknowledged {
  readonly userId: string;
  readonly version: number;
  /** appId:openId */
  readonly identity: string;
}

/** People who log in without pause, at any of the APIs, and come again until they are answered. */
export interface Callers {
  readonly ledger: readonly Acknowledged[];
  /** Of each call that was answered. */
  readonly tookMs: readonly number[];
  /** Calls without an answer, or with another one than 200. */
  readonly failures: number;
  end(): Promise<void>;
}

const lanes = 6;
const apps = ['a1', 'a2', 'a3'];
/** Of people who turn up at the same time. */
const crowd = 60;
/** So that a long torture makes a hundred thousand events and not a million. */
const restMs = 15;

export function startCallers(urls: readonly string[], random: () => number): Callers {
  const apis = urls.map((url) => http(url, operatorKey));
  const ledger: Acknowledged[] = [];
  const tookMs: number[] = [];
  const state = { isOn: true, failures: 0, calls: 0 };
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)] as T;

  const call = async (body: object, identity: string): Promise<boolean> => {
    const began = performance.now();
    try {
      const answer = await pick(apis).post('/v1/identities/resolve', body, { signal: AbortSignal.timeout(10_000) });
      if (answer.status !== 200) return false;
      tookMs.push(performance.now() - began);
      ledger.push({ userId: answer.body.user.id, version: answer.body.user.version, identity });
      return true;
    } catch {
      // Nobody answered: whether it happened is not known.
      return false;
    }
  };

  const lane = async (): Promise<void> => {
    while (state.isOn) {
      state.calls += 1;
      // New people come as time passes; who they are to each other shows when their unionId is told.
      const person = Math.floor(state.calls / 4) + Math.floor(random() * crowd);
      const identity = { appId: pick(apps), openId: `open-${person}` };
      const body = { ...identity, ...(random() < 0.5 ? { unionId: `union-${person}` } : {}) };
      while (!(await call(body, `${identity.appId}:${identity.openId}`))) {
        state.failures += 1;
        if (!state.isOn) return;
        await delay(restMs);
      }
      await delay(restMs);
    }
  };

  const running = Array.from({ length: lanes }, lane);
  return {
    ledger,
    tookMs,
    get failures() {
      return state.failures;
    },
    end: async () => {
      state.isOn = false;
      await Promise.all(running);
    },
  };
}
