const keptMax = 200;

export interface CallEntry {
  readonly at: string;
  readonly endpoint: string;
  readonly appId: string | null;
  /** 0 for a success, null where a fault left no answer. */
  readonly errcode: number | null;
  readonly fault: string | null;
}

export interface PushEntry {
  readonly id: number;
  readonly at: string;
  readonly appId: string;
  readonly event: string;
  readonly person: string | null;
  status: 'sending' | 'delivered' | 'failed' | 'no push url';
  attempts: number;
  /** What the receiver answered last, or why it could not be asked. */
  lastAnswer: string | null;
}

/** The last calls and pushes, for the page and for tests. Holds no secret, token or code. */
export class Journal {
  readonly calls: CallEntry[] = [];
  readonly pushes: PushEntry[] = [];
  #pushId = 0;

  call(entry: CallEntry): void {
    this.calls.unshift(entry);
    this.calls.length = Math.min(this.calls.length, keptMax);
  }

  push(entry: Pick<PushEntry, 'at' | 'appId' | 'event' | 'person'>): PushEntry {
    this.#pushId += 1;
    const kept: PushEntry = { ...entry, id: this.#pushId, status: 'sending', attempts: 0, lastAnswer: null };
    this.pushes.unshift(kept);
    this.pushes.length = Math.min(this.pushes.length, keptMax);
    return kept;
  }
}
