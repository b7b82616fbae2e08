import type { Database } from './database.js';
import { incarnationSql } from './journal-sql.js';

/** Fixed for ever: a user's shard must not change while its events are on their way. */
export const shardCount = 16;

/** A lease: whoever holds the row's owner and epoch may move its cursor. */
export interface ShardLease {
  readonly shard: number;
  readonly epoch: number;
  /** Encoded SnapshotCursor; null: nothing of this shard was published yet. */
  readonly cursor: string | null;
}

export interface TakenShard extends ShardLease {
  /** True where the lease of somebody else ran out; false where it had been given back. */
  readonly hadExpired: boolean;
}

export interface ShardCensus {
  readonly relays: number;
  /** Given back, never taken, or run out. */
  readonly free: number;
}

/** Relays are counted by their connections: one that stands still asks nothing, and counts no more after this long. */
const silentRelaySeconds = 20;

/** Every relay's connections carry this name, so that relays see each other without a table of their own. */
export const relayApplicationName = (relayId: string): string => `unionlink-relay:${relayId}`;

export async function countRelays(database: Database): Promise<ShardCensus> {
  const rows = await database.query<{ relays: number; free: number }>({
    name: 'relay-census',
    text: `SELECT
      (SELECT count(DISTINCT application_name) FROM pg_stat_activity WHERE datname = current_database()
        AND application_name LIKE 'unionlink-relay:%'
        AND state_change > clock_timestamp() - interval '${silentRelaySeconds} s') AS relays,
      (SELECT count(*) FROM relay_shard WHERE owner IS NULL OR expires_at < clock_timestamp()) AS free`,
  });
  return rows[0] ?? { relays: 1, free: 0 };
}

/** Takes up to `max` free shards. The epoch goes up with each change of hands and fences the former holder off. */
export async function takeShards(
  database: Database,
  lease: { readonly owner: string; readonly max: number; readonly leaseMs: number },
): Promise<TakenShard[]> {
  const rows = await database.query<{ shard: number; epoch: number; cursor: string | null; had_expired: boolean }>({
    name: 'relay-take',
    text: `
      WITH free AS (
        SELECT shard, owner IS NOT NULL AND owner <> $1::uuid AS had_expired FROM relay_shard
        WHERE owner IS NULL OR expires_at < clock_timestamp()
        ORDER BY shard LIMIT $2 FOR UPDATE SKIP LOCKED
      )
      UPDATE relay_shard s SET owner = $1::uuid, epoch = s.epoch + 1,
        expires_at = clock_timestamp() + $3 * interval '1 ms'
      FROM free WHERE s.shard = free.shard
      RETURNING s.shard, s.epoch, s.cursor, free.had_expired`,
    values: [lease.owner, lease.max, lease.leaseMs],
  });
  return rows.map(({ had_expired, ...shard }) => ({ ...shard, hadExpired: had_expired }));
}

/**
 * Saves where these shards stand (a null cursor leaves it) and prolongs their leases. Answers the shards that were still
 * the owner's: the rest is somebody else's and must be let go.
 *
 * `incarnation` is the server's when the cursors were read. A server that lost transaction numbers since must not be
 * given a cursor from before: nothing is saved then, and whoever asked starts from what is stored.
 */
export async function saveShards(
  database: Database,
  save: {
    readonly owner: string;
    readonly leases: readonly ShardLease[];
    readonly incarnation: number | null;
    readonly leaseMs: number;
  },
): Promise<number[]> {
  const rows = await database.query<{ shard: number }>({
    name: 'relay-save',
    text: `
      UPDATE relay_shard s SET cursor = coalesce(h.cursor, s.cursor),
        expires_at = clock_timestamp() + $5 * interval '1 ms'
      FROM unnest($2::smallint[], $3::bigint[], $4::text[]) h (shard, epoch, cursor)
      WHERE s.shard = h.shard AND s.epoch = h.epoch AND s.owner = $1::uuid
        AND ($6::bigint IS NULL OR $6 = ${incarnationSql})
      RETURNING s.shard`,
    values: [
      save.owner,
      save.leases.map(({ shard }) => shard),
      save.leases.map(({ epoch }) => epoch),
      save.leases.map(({ cursor }) => cursor),
      save.leaseMs,
      save.incarnation,
    ],
  });
  return rows.map(({ shard }) => shard);
}

/** Gives leases back, so that another relay need not wait for them to run out. */
export async function releaseShards(
  database: Database,
  owner: string,
  leases: readonly Pick<ShardLease, 'shard' | 'epoch'>[],
): Promise<void> {
  await database.query({
    text: `UPDATE relay_shard s SET owner = NULL, expires_at = 'epoch'
      FROM unnest($2::smallint[], $3::bigint[]) h (shard, epoch)
      WHERE s.shard = h.shard AND s.epoch = h.epoch AND s.owner = $1::uuid`,
    values: [owner, leases.map(({ shard }) => shard), leases.map(({ epoch }) => epoch)],
  });
}

/** The stored places of the shards that are still the owner's. */
export async function readShards(
  database: Database,
  owner: string,
  leases: readonly Pick<ShardLease, 'shard' | 'epoch'>[],
): Promise<ShardLease[]> {
  return database.query<{ shard: number; epoch: number; cursor: string | null }>({
    text: `SELECT s.shard, s.epoch, s.cursor FROM relay_shard s
      JOIN unnest($2::smallint[], $3::bigint[]) h (shard, epoch) ON s.shard = h.shard AND s.epoch = h.epoch
      WHERE s.owner = $1::uuid`,
    values: [owner, leases.map(({ shard }) => shard), leases.map(({ epoch }) => epoch)],
  });
}
