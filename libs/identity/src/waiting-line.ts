/**
 * A line before a few lanes: what arrives while the lanes are busy goes through together. Two lanes never hold the same
 * key, and items that share a key keep their order, so that a crowd at one door is served by one transaction instead of
 * many that wait for each other.
 */
export class WaitingLine<Item> {
  private waiting: Item[] = [];
  private readonly held = new Set<string>();
  private free: number;
  private woken = false;
  private startsAgainAt = 0;

  constructor(
    private readonly options: {
      readonly lanes: number;
      readonly batchMax: number;
      /**
       * The least time between the starts of two batches, unless one is full: what comes now and then goes at once, and
       * what comes without pause costs the database a question each so many milliseconds and not one each.
       */
      readonly spacingMs?: number;
      readonly keysOf: (item: Item) => readonly string[];
      readonly work: (batch: readonly Item[]) => Promise<void>;
      readonly failed: (batch: readonly Item[], error: unknown) => void;
    },
  ) {
    this.free = options.lanes;
  }

  get length(): number {
    return this.waiting.length;
  }

  push(item: Item): void {
    this.waiting.push(item);
    if (this.woken) return;
    this.woken = true;
    // One turn of the event loop: everything that was read from the sockets in this turn goes together.
    setImmediate(() => this.wake());
  }

  private wake(): void {
    this.woken = false;
    this.dispatch();
  }

  private dispatch(): void {
    while (this.free > 0 && this.waiting.length > 0) {
      const now = performance.now();
      if (now < this.startsAgainAt && this.waiting.length < this.options.batchMax) {
        if (!this.woken) setTimeout(() => this.wake(), this.startsAgainAt - now);
        this.woken = true;
        return;
      }
      this.startsAgainAt = now + (this.options.spacingMs ?? 0);
      const batch = this.take();
      if (batch.length === 0) return;
      this.free -= 1;
      void this.run(batch);
    }
  }

  private async run(batch: readonly Item[]): Promise<void> {
    try {
      await this.options.work(batch);
    } catch (error) {
      this.options.failed(batch, error);
    } finally {
      for (const item of batch) for (const key of this.options.keysOf(item)) this.held.delete(key);
      this.free += 1;
      this.dispatch();
    }
  }

  private take(): Item[] {
    const batch: Item[] = [];
    const own = new Set<string>();
    const passed = new Set<string>();
    const left: Item[] = [];
    for (const [index, item] of this.waiting.entries()) {
      if (batch.length >= this.options.batchMax) {
        left.push(...this.waiting.slice(index));
        break;
      }
      const keys = this.options.keysOf(item);
      if (keys.some((key) => passed.has(key) || (this.held.has(key) && !own.has(key)))) {
        for (const key of keys) passed.add(key);
        left.push(item);
        continue;
      }
      for (const key of keys) {
        own.add(key);
        this.held.add(key);
      }
      batch.push(item);
    }
    this.waiting = left;
    return batch;
  }
}
