import type { ServerResponse } from 'node:http';
import type { BeforeApplicationShutdown } from '@nestjs/common';
import { Injectable } from '@nestjs/common';
import { Database, JournalPulse } from '#store';

/** The open event streams of this process: one pulse for all of them, and all of them end when the process stops. */
@Injectable()
export class EventStreams implements BeforeApplicationShutdown {
  readonly pulse: JournalPulse;
  private readonly stopping = new AbortController();

  constructor(
    database: Database,
    readonly retentionDays: number,
  ) {
    this.pulse = new JournalPulse(database, this.stopping.signal);
  }

  /** Fires when the reader is gone or the process stops. */
  open(response: ServerResponse): AbortSignal {
    const gone = new AbortController();
    response.once('close', () => gone.abort());
    return AbortSignal.any([gone.signal, this.stopping.signal]);
  }

  beforeApplicationShutdown(): void {
    this.stopping.abort();
  }
}
