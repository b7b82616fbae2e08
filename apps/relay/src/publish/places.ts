import type { SnapshotCursor } from '#store';
import { encodeCursor } from '#store';
import type { HeldShard, Leases } from './leases.js';

/**
 * Places are saved so often at most, and behind so many events; what was sent since then comes twice after a kill. Behind
 * every small send, the dead versions of 16 rows would pile up for as long as anybody holds a snapshot.
 */
const saveEveryMs = 200;
const saveEveryEvents = 1_000;
/** An idle place moves on too; saved now and then, it keeps the next reader from looking through what is seen. */
const idleSaveMs = 10_000;

/** Where the shards of one pipeline stand: in memory behind every acknowledgement, in the database now and then. */
export class Places {
  private savedAt = performance.now();
  /** Events published behind the saved places. */
  private unsaved = 0;
  /** Of the server when the places in memory were read. */
  private incarnation = 0;

  constructor(
    private readonly leases: Leases,
    private readonly isOurs: (shard: number) => boolean,
  ) {}

  /** Shards that stand at the same place, together. */
  groups(): HeldShard[][] {
    const groups = new Map<string, HeldShard[]>();
    for (const held of this.leases.shards(this.isOurs)) {
      const place = encodeCursor(held.cursor);
      groups.set(place, [...(groups.get(place) ?? []), held]);
    }
    return [...groups.values()];
  }

  /** Only behind what Kafka has acknowledged. False: what is held now was read anew. */
  async move(group: readonly HeldShard[], to: { cursor: SnapshotCursor; events: number }): Promise<boolean> {
    for (const held of group) held.cursor = to.cursor;
    this.incarnation = to.cursor.incarnation;
    this.unsaved += to.events;
    const sinceMs = performance.now() - this.savedAt;
    const isDue = this.unsaved >= saveEveryEvents || sinceMs > (this.unsaved > 0 ? saveEveryMs : idleSaveMs);
    return isDue ? this.save() : true;
  }

  /** A place that was read before the server lost its memory is not saved: its next read will find that out. */
  async save(): Promise<boolean> {
    const { incarnation } = this;
    const places = this.leases.shards(this.isOurs).filter(({ cursor }) => cursor.incarnation === incarnation);
    this.savedAt = performance.now();
    this.unsaved = 0;
    return this.leases.save(places, incarnation);
  }

  /** Forgets all that is in memory and not in the database. */
  async reload(): Promise<void> {
    this.unsaved = 0;
    await this.leases.reload(this.leases.shards(this.isOurs));
  }

  /** Gives back what is another relay's share; nothing of it may be on its way. */
  async giveUpSurplus(): Promise<void> {
    if (!this.leases.hasSurplus) return;
    if (this.unsaved > 0) await this.save();
    await this.leases.giveUpSurplus(this.isOurs);
  }
}
