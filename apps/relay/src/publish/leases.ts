import type { Logger } from 'pino';
import type { Database, ShardLease, SnapshotCursor, TakenShard } from '#store';
import {
  countRelays,
  decodeCursor,
  encodeCursor,
  journalStart,
  readShards,
  releaseShards,
  saveShards,
  shardCount,
  takeShards,
} from '#store';

export interface HeldShard {
  readonly shard: number;
  readonly epoch: number;
  cursor: SnapshotCursor;
  /** `performance.now()` until which the lease is surely ours: counted from before we asked. */
  deadline: number;
}

export interface LeaseOptions {
  readonly relayId: string;
  readonly leaseMs: number;
}

/** Free shards are left to relays with fewer until they stayed free for so many looks: those may be standing still. */
const patienceLooks = 4;

/** The shards that this relay may publish. Times are the database's; ours only ever end earlier. */
export class Leases {
  private readonly held = new Map<number, HeldShard>();
  private surplus = 0;
  private freeLooks = 0;
  /** Called with the shards that were taken over from a relay that did not give them back. */
  onTakeOver: (shards: readonly number[]) => void = () => undefined;

  constructor(
    private readonly database: Database,
    private readonly logger: Logger,
    private readonly options: LeaseOptions,
  ) {}

  get size(): number {
    return this.held.size;
  }

  /** Some of what is held is another relay's share. */
  get hasSurplus(): boolean {
    return this.surplus > 0;
  }

  shards(isOurs: (shard: number) => boolean): HeldShard[] {
    return [...this.held.values()].filter(({ shard }) => isOurs(shard));
  }

  /** Prolongs what is held where it is time, takes what is free up to a fair share. To be called every few seconds. */
  async look(): Promise<void> {
    const { relayId, leaseMs } = this.options;
    const now = performance.now();
    const held = [...this.held.values()];
    if (held.some(({ deadline }) => deadline - now < leaseMs * (2 / 3))) await this.save(held, null);
    const { relays, free } = await countRelays(this.database);
    const fair = Math.ceil(shardCount / Math.max(1, relays));
    this.surplus = Math.max(0, this.held.size - fair);
    this.freeLooks = free > 0 ? this.freeLooks + 1 : 0;
    const share = this.freeLooks > patienceLooks ? shardCount : fair;
    if (free === 0 || this.held.size >= share) return;
    const asked = performance.now();
    const max = share - this.held.size;
    const taken = await takeShards(this.database, { owner: relayId, max, leaseMs });
    for (const shard of taken) this.held.set(shard.shard, this.holding(shard, asked));
    if (taken.length > 0) this.report(taken);
  }

  /**
   * Saves where these shards stand, and prolongs their leases. `incarnation` null: only prolongs. False: something was
   * not ours any more, or the server lost its memory; what is held now was read anew.
   */
  async save(shards: readonly HeldShard[], incarnation: number | null): Promise<boolean> {
    if (shards.length === 0) return true;
    const { relayId, leaseMs } = this.options;
    const asked = performance.now();
    const leases: ShardLease[] = shards.map(({ shard, epoch, cursor }) => ({
      shard,
      epoch,
      cursor: incarnation === null ? null : encodeCursor(cursor),
    }));
    const saved = new Set(await saveShards(this.database, { owner: relayId, leases, incarnation, leaseMs }));
    for (const held of shards) if (saved.has(held.shard)) held.deadline = asked + leaseMs;
    if (saved.size === shards.length) return true;
    this.logger.warn({ lost: shards.length - saved.size }, 'leases lost');
    await this.reload(shards);
    return false;
  }

  /** Forgets all that is in memory and not in the database. What happened since may come again; nothing is passed over. */
  async reload(shards: readonly HeldShard[]): Promise<void> {
    const stored = await readShards(this.database, this.options.relayId, shards);
    const still = new Map(stored.map((lease) => [lease.shard, lease]));
    for (const held of shards) {
      const lease = still.get(held.shard);
      if (lease === undefined) this.held.delete(held.shard);
      else held.cursor = stand(lease);
    }
  }

  /** Gives back what is above the fair share. Between batches only: nothing of these shards may be on its way. */
  async giveUpSurplus(isOurs: (shard: number) => boolean): Promise<void> {
    if (this.surplus === 0) return;
    const given = this.shards(isOurs).slice(-Math.ceil(this.surplus / 2));
    this.surplus -= given.length;
    await this.release(given);
  }

  async release(shards: readonly HeldShard[]): Promise<void> {
    if (shards.length === 0) return;
    for (const { shard } of shards) this.held.delete(shard);
    await releaseShards(this.database, this.options.relayId, shards);
    this.logger.info({ shards: shards.map(({ shard }) => shard) }, 'leases given back');
  }

  private holding(lease: ShardLease, asked: number): HeldShard {
    const { shard, epoch } = lease;
    return { shard, epoch, cursor: stand(lease), deadline: asked + this.options.leaseMs };
  }

  private report(taken: readonly TakenShard[]): void {
    const expired = taken.filter(({ hadExpired }) => hadExpired).map(({ shard }) => shard);
    this.logger.info({ shards: taken.map(({ shard }) => shard), expired }, 'leases taken');
    if (expired.length > 0) this.onTakeOver(expired);
  }
}

/** A stored place was made durable by its commit: it holds whatever the server has been through since. */
function stand({ shard, cursor }: ShardLease): SnapshotCursor {
  if (cursor === null) return journalStart;
  const decoded = decodeCursor(cursor);
  if (decoded === null) throw new Error(`relay_shard ${shard} holds a cursor that nobody wrote`);
  return { ...decoded, incarnation: 0 };
}
