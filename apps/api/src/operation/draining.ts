import { setTimeout as delay } from 'node:timers/promises';
import type { OnModuleDestroy } from '@nestjs/common';
import { Injectable } from '@nestjs/common';

/** Long enough for a busy client to use each of its connections once more, and short beside the ten seconds there are. */
const drainMs = 500;

/**
 * Between SIGTERM and closing the door. A client that has just sent a request on a connection that was idle would lose it if
 * the door were closed at once; so every answer of this while says `Connection: close`, and readiness says no.
 */
@Injectable()
export class Draining implements OnModuleDestroy {
  isStopping = false;

  async onModuleDestroy(): Promise<void> {
    this.isStopping = true;
    await delay(drainMs);
  }
}
