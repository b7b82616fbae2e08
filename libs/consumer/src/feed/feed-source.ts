import type { Acknowledgement } from '#events';
import { fromFeed } from '../incoming.js';
import { Loop } from '../loop.js';
import type { Sink, Source, SourceHealth } from '../source.js';
import type { FeedOptions } from './service-client.js';
import { ServiceClient, ServiceRefused, pageMax } from './service-client.js';

const cursorName = 'feed';
/** Refusals that may end by themselves: a key that is being changed, a limit, an outage. */
const passing = new Set([401, 403, 408, 425, 429]);

/**
 * Follows `GET /v1/events`. The place is kept in the consumer's database and moves in the transaction of the last effect
 * of a page; a page that was cut short comes again, and the guard passes over what was done.
 */
export class FeedSource implements Source {
  private readonly client: ServiceClient;
  private loop: Loop | null = null;
  private sink: Sink | null = null;
  /** Where to go on; at the end of the feed it moves on while nothing happens, which is not written down. */
  private place: { readonly stored: string | null; readonly next: string | null } | null = null;
  private isAtEnd = false;
  private workedAt = performance.now();

  constructor(private readonly options: FeedOptions) {
    this.client = new ServiceClient(options);
  }

  start(sink: Sink): void {
    this.sink = sink;
    this.loop = new Loop((signal) => this.takePage(sink, signal), {
      name: 'following the feed',
      log: sink.log,
      idleMs: this.options.pollMs ?? 500,
    });
    this.loop.start();
  }

  async stop(): Promise<void> {
    await this.loop?.stop();
  }

  async check(): Promise<SourceHealth> {
    const problem = this.loop?.failure?.message ?? null;
    const turnedAt = Math.max(this.workedAt, this.loop?.turnedAt ?? 0);
    if (performance.now() - turnedAt > (this.options.stalledAfterMs ?? 60_000)) {
      return { isLive: false, isReady: false, problem: 'a page of the feed does not come to its end' };
    }
    return { isLive: true, isReady: this.isAtEnd && problem === null, problem };
  }

  async answer(answers: readonly Acknowledgement[]): Promise<void> {
    for (const answer of answers) {
      try {
        await this.client.acknowledge(answer);
      } catch (error) {
        if (!(error instanceof ServiceRefused) || error.status >= 500 || passing.has(error.status)) throw error;
        // Asked again it would be refused again, and hold up the answers behind it.
        this.sink?.log('error', 'an acknowledgement was refused', { kind: answer.kind, id: answer.id, error });
      }
    }
  }

  private async takePage(sink: Sink, signal: AbortSignal): Promise<'more' | 'idle'> {
    const place = (this.place ??= await this.storedPlace(sink));
    const page = await this.client.page(place.next, sink.wantsProposals, signal).catch((error: unknown) => {
      if (!(error instanceof ServiceRefused) || error.status !== 400 || place.next === null) throw error;
      sink.log('warn', 'the place in the feed is not known there any more; reading it from its start', { error });
      return null;
    });
    if (page === null) {
      this.place = { ...place, next: null };
      return 'more';
    }
    if (page.items.length === 0) this.place = { ...place, next: page.nextCursor };
    else await this.applyPage(sink, page.items.map(fromFeed), { stored: place.stored, next: page.nextCursor }, signal);
    this.isAtEnd ||= page.items.length < pageMax;
    return page.items.length < pageMax ? 'idle' : 'more';
  }

  private async applyPage(
    sink: Sink,
    records: ReturnType<typeof fromFeed>[],
    { stored, next }: { readonly stored: string | null; readonly next: string },
    signal: AbortSignal,
  ): Promise<void> {
    // Read anew unless the whole page is done: what was in hand may not have been.
    this.place = null;
    let isOurs = false;
    const done = await sink.apply(records, {
      between: async () => {
        this.workedAt = performance.now();
        return !signal.aborted;
      },
      finish: async (book) => {
        // Another replica may have gone on from here; its place is not set back.
        isOurs = (await book.cursor(cursorName)) === stored;
        if (isOurs) await book.setCursor(cursorName, next);
      },
    });
    if (isOurs && done === records.length) this.place = { stored: next, next };
  }

  private async storedPlace(sink: Sink): Promise<{ stored: string | null; next: string | null }> {
    const stored = await sink.desk((book) => book.cursor(cursorName));
    return { stored, next: stored };
  }
}
