import type { ServerResponse } from 'node:http';
import type { BeforeApplicationShutdown } from '@nestjs/common';
import { Injectable } from '@nestjs/common';
import { Database, JournalPulse } from '#store';
import { Metrics } from '../operation/metrics.js';

/** The open event streams of this process: one pulse for all of them, and all of them end when the process stops. */
@Injectable()
export class EventStreams implements BeforeApplicationShutdown {
  readonly pulse: JournalPulse;
  private readonly stopping = new AbortController();
  private readonly open = new Set<AbortController>();

  constructor(
    database: Database,
    private readonly metrics: Metrics,
    readonly retentionDays: number,
  ) {
    this.pulse = new JournalPulse(database, this.stopping.signal);
  }

  /** Ends the answer when `tell` has ended. `stop` fires when the reader is gone or the process stops. */
  async whileOpen(response: ServerResponse, tell: (stop: AbortSignal) => Promise<void>): Promise<void> {
    const end = new AbortController();
    response.once('close', () => end.abort());
    // Who went while their key was looked up says so no more.
    if (response.destroyed || this.stopping.signal.aborted) end.abort();
    this.open.add(end);
    this.metrics.eventStreams.set(this.open.size);
    try {
      await tell(end.signal);
    } finally {
      this.open.delete(end);
      this.metrics.eventStreams.set(this.open.size);
      response.end();
    }
  }

  beforeApplicationShutdown(): void {
    this.stopping.abort();
    for (const end of this.open) end.abort();
  }
}

/** A reader that does not read must not fill our memory. */
export function drained(response: ServerResponse, stop: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      response.off('drain', done);
      stop.removeEventListener('abort', done);
      resolve();
    };
    response.once('drain', done);
    stop.addEventListener('abort', done);
    if (stop.aborted) done();
  });
}
