import type { Acknowledgement } from '#events';
import { fromFeed } from '../incoming.js';
import { Loop } from '../loop.js';
import type { Sink, Source, SourceHealth } from '../source.js';
import type { EventStream, FeedPage } from './event-stream.js';
import type { FeedOptions } from './service-client.js';
import { ServiceClient, ServiceRefused, pageMax } from './service-client.js';

const cursorName = 'feed';
/** A stream that ends at once is not opened again at once, and one that is refused not for a while: pages do meanwhile. */
const openAtMostEveryMs = 1_000;
const afterRefusalMs = 30_000;
/** Refusals that may end by themselves: a key that is being changed, a limit, an outage. */
const passing = new Set([401, 403, 408, 425, 429]);

/**
 * Follows `GET /v1/events`: page by page to its end, and from there as a stream. The place is kept in the consumer's database and moves in the transaction of the last effect
 * of a page; a page that was cut short comes again, and the guard passes over what was done.
 */
export class FeedSource implements Source {
  private readonly client: ServiceClient;
  private loop: Loop | null = null;
  private sink: Sink | null = null;
  /** Where to go on; at the end of the feed it moves on while nothing happens, which is not written down. */
  private place: { readonly stored: string | null; readonly next: string | null } | null = null;
  private isAtEnd = false;
  private stream: { readonly events: EventStream; readonly after: string } | null = null;
  private isListening = false;
  private mayOpenAt = 0;
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
    await this.hangUp();
  }

  async check(): Promise<SourceHealth> {
    const problem = this.loop?.failure?.message ?? null;
    const turnedAt = Math.max(this.workedAt, this.loop?.turnedAt ?? 0);
    if (!this.isListening && performance.now() - turnedAt > (this.options.stalledAfterMs ?? 60_000)) {
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
    const told = await this.told(place.next, sink, signal);
    const page = told ?? (await this.asked(place.next, sink, signal));
    if (page === null) {
      this.place = { ...place, next: null };
      return 'more';
    }
    if (page.items.length === 0) this.place = { ...place, next: page.nextCursor };
    else await this.applyPage(sink, page.items.map(fromFeed), { stored: place.stored, next: page.nextCursor }, signal);
    if (told !== null) return 'more';
    this.isAtEnd ||= page.items.length < pageMax;
    if (page.items.length === pageMax) return 'more';
    return (await this.listen(sink, signal)) ? 'more' : 'idle';
  }

  /** Null: the service does not know this place. */
  private async asked(after: string | null, sink: Sink, signal: AbortSignal): Promise<FeedPage | null> {
    try {
      return await this.client.page(after, sink.wantsProposals, signal);
    } catch (error) {
      const isUnknown = error instanceof ServiceRefused && error.status === 400 && error.paths.includes('after');
      if (!isUnknown || after === null) throw error;
      sink.log('warn', 'the place in the feed is not known there any more; reading it from its start', { error });
      return null;
    }
  }

  /** What the stream brought; null where there is none that goes on from here. */
  private async told(after: string | null, sink: Sink, signal: AbortSignal): Promise<FeedPage | null> {
    if (this.stream === null) return null;
    let page: FeedPage | null = null;
    try {
      this.isListening = true;
      if (this.stream.after === after) page = await this.stream.events.next();
    } catch (error) {
      if (signal.aborted) throw error;
      sink.log('warn', 'the stream of events broke; asking for pages until it is back', { error });
    } finally {
      this.isListening = false;
      this.workedAt = performance.now();
    }
    if (page === null) await this.hangUp();
    else this.stream = { ...this.stream, after: page.nextCursor };
    return page;
  }

  /** At the end of the feed. False: not now. */
  private async listen(sink: Sink, signal: AbortSignal): Promise<boolean> {
    const after = this.place?.next ?? null;
    if (this.options.stream === false || after === null || performance.now() < this.mayOpenAt) return false;
    this.mayOpenAt = performance.now() + openAtMostEveryMs;
    try {
      this.stream = { after, events: await this.client.stream(after, sink.wantsProposals, signal) };
      await this.stream.events.greeted();
    } catch (error) {
      await this.hangUp();
      if (signal.aborted) throw error;
      this.mayOpenAt = performance.now() + afterRefusalMs;
      sink.log('warn', 'no stream of events; asking for pages', { error });
    }
    return this.stream !== null;
  }

  private async hangUp(): Promise<void> {
    const { stream } = this;
    this.stream = null;
    await stream?.events.close();
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
