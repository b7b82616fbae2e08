import { isDeepStrictEqual } from 'node:util';
import type { Envelope } from '#events';
import { Applier } from '../apply.js';
import type { FollowerStore } from '../book.js';
import type { Handlers } from '../handlers.js';
import { fromEnvelope } from '../incoming.js';
import { arrangementsOf } from './arrangements.js';

/** Your service, freshly set up: an empty store, your handlers, and how to look at the outcome. */
export interface ReplayedConsumer<Tx> {
  readonly store: FollowerStore<Tx>;
  readonly handlers: Handlers<Tx>;
  /** What must be the same in the end however the history arrived: plain data. */
  endState(): unknown;
  close?(): Promise<void>;
}

export interface ReplayOptions {
  /** Random interleavings beside the fixed ones. Default 20. */
  readonly shuffles?: number;
  readonly seed?: number;
}

/**
 * Replays a history against your handlers in every way the contract allows (duplicated, interleaved, users out of order,
 * with gaps, from the states alone), each time on a fresh consumer, and throws where an end state differs from the one of
 * the history as it happened. Answers how many ways were tried.
 */
export async function replay<Tx>(
  history: readonly Envelope[],
  makeConsumer: () => ReplayedConsumer<Tx> | Promise<ReplayedConsumer<Tx>>,
  { shuffles = 20, seed = 1 }: ReplayOptions = {},
): Promise<number> {
  const arrangements = arrangementsOf(history, shuffles, seed);
  let expected: { readonly state: unknown } | undefined;
  for (const { name, events } of arrangements) {
    const state = await endStateOf(events, await makeConsumer());
    expected ??= { state };
    if (!isDeepStrictEqual(state, expected.state)) {
      const [is, was] = [state, expected.state].map((one) => JSON.stringify(one, null, 2));
      throw new Error(`replayed "${name}", the consumer ends differently.\n\nAs it happened: ${was}\n\nNow: ${is}`);
    }
  }
  return arrangements.length;
}

async function endStateOf<Tx>(events: readonly Envelope[], consumer: ReplayedConsumer<Tx>): Promise<unknown> {
  const failures: unknown[] = [];
  const applier = new Applier(consumer.store, consumer.handlers, {
    answers: new Set(),
    log: (level, message, fields) => {
      if (level === 'error') failures.push(fields?.['error'] ?? message);
    },
  });
  try {
    await consumer.store.ensureTables();
    await applier.apply(events.map(fromEnvelope));
    if (failures.length > 0) throw new Error('a handler threw', { cause: failures[0] });
    return await consumer.endState();
  } finally {
    await consumer.close?.();
  }
}
