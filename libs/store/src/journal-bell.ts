import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';

const channel = 'unionlink_journal';
/** How often one process rings at most: what is committed in between is heard with the next. */
const quietMs = 10;
const reconnectMs = 1_000;

/**
 * Tells the relays and the event streams that the journal has grown, so that an idle one need not be asked for ten times a second to be quick.
 * Only a hint: whoever misses it looks by itself a moment later. It rings behind the commit and in a transaction of its
 * own, because NOTIFY holds a lock of the whole cluster until its commit (23,400 → 5,100 commits a second when it was
 * inside), and without waiting for the disk.
 */
export class JournalBell {
  private isQuiet = false;
  private isDue = false;

  constructor(private readonly ask: (statement: { name: string; text: string }) => Promise<unknown>) {}

  ring(): void {
    this.isDue = true;
    if (!this.isQuiet) void this.ringWhileDue();
  }

  private async ringWhileDue(): Promise<void> {
    this.isQuiet = true;
    while (this.isDue) {
      this.isDue = false;
      const quiet = new Promise((resolve) => setTimeout(resolve, quietMs));
      // Nobody is told and nothing is lost: who follows looks by itself.
      const text = `SELECT set_config('synchronous_commit', 'off', true), pg_notify('${channel}', '')`;
      await this.ask({ name: 'journal-bell', text }).catch(() => undefined);
      await quiet;
    }
    this.isQuiet = false;
  }
}

/** Hears the bell on a connection of its own, which comes back by itself, until `signal` fires. */
export async function hearJournal(
  options: pg.ClientConfig,
  { onRing, signal }: { readonly onRing: () => void; readonly signal: AbortSignal },
): Promise<void> {
  while (!signal.aborted) {
    const client = new pg.Client(options);
    const hangUp = (): void => void client.end().catch(() => undefined);
    const ended = new Promise<void>((resolve) => {
      client.once('end', resolve);
      client.on('error', () => resolve());
    });
    client.on('notification', onRing);
    signal.addEventListener('abort', hangUp);
    try {
      await client.connect();
      await client.query(`LISTEN ${channel}`);
      await ended;
    } catch {
      // The database is away: those who follow the journal say so, and look again as we do.
    }
    signal.removeEventListener('abort', hangUp);
    hangUp();
    await delay(reconnectMs, undefined, { signal }).catch(() => undefined);
  }
}
