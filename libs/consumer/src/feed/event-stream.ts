import { createParser } from 'eventsource-parser';

export interface FeedPage {
  readonly items: readonly unknown[];
  readonly nextCursor: string;
}

/** The service says something at least every 15 s; a connection that is silent for so long is a dead one. */
const silenceMaxMs = 45_000;
/** It greets at once: where even that does not come, something in between holds everything back. */
const greetingMaxMs = 5_000;

/** `GET /v1/events` as a server-sent stream, read as it is asked for: what is not asked for stays in the connection. */
export class EventStream {
  private readonly reader: ReadableStreamDefaultReader<Uint8Array>;
  private readonly decoder = new TextDecoder();
  private items: unknown[] = [];
  private readonly parser = createParser({
    onEvent: ({ id, data }) => {
      this.items.push(JSON.parse(data));
      this.cursor = id ?? this.cursor;
    },
  });

  /** `cursor`: behind which it began. */
  constructor(
    body: ReadableStream<Uint8Array>,
    private cursor: string,
  ) {
    this.reader = body.getReader();
  }

  /** To be called first. Throws where the service's greeting does not come. */
  async greeted(): Promise<void> {
    if (!(await this.heard(greetingMaxMs))) throw new Error('GET /v1/events: the stream ended at once');
  }

  /** What came, at least one event; null: the stream has ended. Throws when it broke or fell silent. */
  async next(): Promise<FeedPage | null> {
    while (this.items.length === 0) if (!(await this.heard(silenceMaxMs))) return null;
    const { items, cursor } = this;
    this.items = [];
    return { items, nextCursor: cursor };
  }

  async close(): Promise<void> {
    await this.reader.cancel().catch(() => undefined);
  }

  /** False: the stream has ended. */
  private async heard(withinMs: number): Promise<boolean> {
    let timer: NodeJS.Timeout | undefined;
    const silence = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(new Error('GET /v1/events: the stream is silent')), withinMs);
    });
    try {
      const { done, value } = await Promise.race([this.reader.read(), silence]);
      if (!done) this.parser.feed(this.decoder.decode(value, { stream: true }));
      return !done;
    } finally {
      clearTimeout(timer);
    }
  }
}
