import { createRequire } from 'node:module';

/** The only version whose inside was read. For any other the guard does nothing, and its spec fails. */
export const guardedVersion = '2.2.4';

interface RequestQueue {
  readonly pending: readonly unknown[];
  readonly throttledUntil: number;
}

interface RequestQueueClass {
  readonly prototype: { scheduleCheckPendingRequests: (this: RequestQueue) => void };
}

/**
 * KafkaJS 2.2.4 sets a timer to look at its waiting requests after `throttledUntil - now` milliseconds. Not throttled
 * that is negative, so it looks again after 1 ms, for ever, on every connection: 2.5 % of a core each while nothing is
 * sent (tulios/kafkajs#1704, #1751). Nothing waits, nothing to look at: whatever comes to wait sets the timer itself.
 * Answers whether it is in place.
 */
export function guardTimer(): boolean {
  const require = createRequire(import.meta.url);
  const { version }: { version: string } = require('kafkajs/package.json');
  if (version !== guardedVersion) return false;
  const { prototype }: RequestQueueClass = require('kafkajs/src/network/requestQueue/index.js');
  const schedule = prototype.scheduleCheckPendingRequests;
  if (schedule.name === 'scheduleWhileAnyWaits') return true;
  prototype.scheduleCheckPendingRequests = function scheduleWhileAnyWaits(): void {
    if (this.pending.length > 0) schedule.call(this);
  };
  return true;
}
