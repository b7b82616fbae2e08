import { createRequire } from 'node:module';
import { guardedVersion, guardTimer } from './timer-guard.js';

interface Queue {
  pending: unknown[];
  throttleCheckTimeoutId: NodeJS.Timeout | null;
  scheduleCheckPendingRequests(): void;
  destroy(): void;
}

describe('The timer guard of KafkaJS', () => {
  const require = createRequire(import.meta.url);
  const { version }: { version: string } = require('kafkajs/package.json');
  const RequestQueue: new (options: object) => Queue = require('kafkajs/src/network/requestQueue/index.js');
  const quiet = { debug: () => undefined, warn: () => undefined };
  const queue = (): Queue =>
    new RequestQueue({ maxInFlightRequests: 1, requestTimeout: 1000, clientId: '', broker: '', logger: quiet });

  it('knows the version that is installed: read its request queue before raising it', () => {
    expect(version).toBe(guardedVersion);
  });

  it('is still needed: without it an idle queue wakes up again and again', () => {
    const idle = queue();
    idle.scheduleCheckPendingRequests();
    expect(idle.throttleCheckTimeoutId).not.toBeNull();
    idle.destroy();
  });

  it('sets no timer while nothing waits, and one as soon as something does', () => {
    expect(guardTimer()).toBe(true);
    expect(guardTimer()).toBe(true);
    const guarded = queue();
    guarded.scheduleCheckPendingRequests();
    expect(guarded.throttleCheckTimeoutId).toBeNull();
    guarded.pending.push({});
    guarded.scheduleCheckPendingRequests();
    expect(guarded.throttleCheckTimeoutId).not.toBeNull();
    guarded.destroy();
  });
});
