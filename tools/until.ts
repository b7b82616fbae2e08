import { Refusal } from './machine.js';

export interface Patience {
  readonly timeoutMs?: number;
  readonly intervalMs?: number;
  /** What is waited for, in words: stands in the error. */
  readonly what?: string;
}

type Answered<T> = Exclude<T, undefined | null | false>;

const isAnswered = <T>(answer: T): answer is Answered<T> => answer !== undefined && answer !== null && answer !== false;

/**
 * Asks until the answer is neither undefined, null nor false, and gives it back. Errors count as "not yet", except a
 * Refusal; the last one explains a time-out.
 */
export async function until<T>(
  condition: () => Promise<T> | T,
  { timeoutMs = 10_000, intervalMs = 50, what = condition.toString() }: Patience = {},
): Promise<Answered<T>> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    let found: string;
    try {
      const answer = await condition();
      if (isAnswered(answer)) return answer;
      found = String(answer);
    } catch (error) {
      if (error instanceof Refusal) throw error;
      found = String(error);
    }
    if (Date.now() > deadline)
      throw new Error(`Waited ${timeoutMs} ms in vain for ${what}; the last try gave: ${found}`);
    await new Promise((resolve) => setTimeout(resolve, intervalMs));
  }
}
