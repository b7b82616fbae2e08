import type { Log } from '../log.js';

/** One answer of `GET /v1/sessions/revocations`. */
export interface RevocationAnswer {
  readonly items: readonly {
    readonly userId?: string;
    readonly issuedBefore?: string;
    readonly jti?: string;
    readonly expiresAt: string;
  }[];
  readonly nextCursor: string;
  readonly hasMore: boolean;
}

interface Entry {
  readonly issuedBeforeMs: number;
  readonly expiresAtMs: number;
}

/** An answer that is full says so; this many in a row would be two million entries. */
const answersMax = 1_000;

/**
 * What was revoked, as far as is known here. There is no timer: whoever verifies a token when the list is older than
 * `everyMs` brings it up to date first, once for all who come meanwhile. Where the service does not answer, the list goes
 * on as it is, and is asked for again `everyMs` later: siblings check sessions by themselves, also while it is away.
 */
export class RevocationList {
  private readonly users = new Map<string, Entry>();
  private readonly tokens = new Map<string, Entry>();
  private cursor: string | null = null;
  private askedAt = Number.NEGATIVE_INFINITY;
  private asking: Promise<void> | null = null;
  /** When it was last as the service has it; null: never. */
  freshAt: number | null = null;

  constructor(
    private readonly ask: (since: string | null) => Promise<RevocationAnswer>,
    private readonly everyMs: number,
    private readonly log: Log,
  ) {}

  async holds(token: { readonly userId: string; readonly jti: string; readonly issuedAtMs: number }): Promise<boolean> {
    await this.bringUpToDate();
    const user = this.users.get(token.userId);
    return this.tokens.has(token.jti) || (user !== undefined && token.issuedAtMs < user.issuedBeforeMs);
  }

  private async bringUpToDate(): Promise<void> {
    if (this.asking === null && Date.now() - this.askedAt < this.everyMs) return;
    this.asking ??= this.poll().finally(() => {
      this.askedAt = Date.now();
      this.asking = null;
    });
    await this.asking;
  }

  private async poll(): Promise<void> {
    try {
      for (let answers = 0; answers < answersMax; answers += 1) {
        const { items, nextCursor, hasMore } = await this.ask(this.cursor);
        for (const item of items) this.note(item);
        this.cursor = nextCursor;
        if (!hasMore) break;
      }
      this.freshAt = Date.now();
      this.dropSpent(this.freshAt);
    } catch (error) {
      this.log('warn', 'the list of revoked sessions could not be brought up to date', { error: String(error) });
    }
  }

  private note({ userId, issuedBefore = '', jti, expiresAt }: RevocationAnswer['items'][number]): void {
    const entry = { issuedBeforeMs: Date.parse(issuedBefore), expiresAtMs: Date.parse(expiresAt) };
    if (jti !== undefined) this.tokens.set(jti, entry);
    if (userId !== undefined) this.users.set(userId, entry);
  }

  private dropSpent(now: number): void {
    for (const entries of [this.users, this.tokens])
      for (const [id, { expiresAtMs }] of entries) if (expiresAtMs < now) entries.delete(id);
  }
}
