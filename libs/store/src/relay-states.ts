import type { Envelope } from '#events';
import { userStateType } from '#events';
import type { Database } from './database.js';
import { lastIdBefore } from './journal-time.js';

/** A user as it is now, for the states topic. */
export interface StateRecord {
  /** Attributes; the data is in `data`. */
  readonly event: Envelope;
  /** The UserState as JSON. */
  readonly data: string;
}

interface Row extends Record<string, unknown> {
  id: string;
  entity_id: string;
  version: number;
  event_id: string;
  time: string;
  data: string;
}

const utc = (column: string): string => `to_char(${column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;

/**
 * The state of each user, from its rows and in one snapshot: never older than any event read before. The record's id and
 * time are those of the step that led to it. A merged-away user keeps nothing but where it leads, an erased one nothing.
 */
export async function readStates(
  database: Database,
  userIds: readonly string[],
  epoch: number,
): Promise<StateRecord[]> {
  const rows = await database.query<Row>({
    name: 'relay-states',
    text: `
      SELECT u.id, u.entity_id, u.version, j.event_id, ${utc('j.recorded_at')} AS time,
        CASE WHEN u.status = 'erased' THEN json_build_object('id', u.id, 'status', u.status, 'version', u.version)
        ELSE json_build_object('id', u.id, 'entityId', u.entity_id, 'status', u.status, 'version', u.version,
          'createdAt', ${utc('u.created_at')}, 'mergedInto', u.merged_into,
          'identities', coalesce((
            SELECT json_agg(json_build_object('appId', i.app_id, 'openId', i.open_id, 'linkedAt', ${utc('i.linked_at')})
              ORDER BY i.linked_at, i.app_id, i.open_id)
            FROM identity i WHERE i.user_id = u.id), '[]'),
          'unionIds', coalesce((
            SELECT json_agg(json_build_object('openPlatformId', k.open_platform_id, 'unionId', k.union_id)
              ORDER BY k.linked_at, k.open_platform_id, k.union_id)
            FROM union_key k WHERE k.user_id = u.id AND k.retired_at IS NULL), '[]')) END::text AS data
      FROM unnest($1::uuid[]) q (id)
      CROSS JOIN LATERAL (SELECT * FROM users WHERE users.id = q.id LIMIT 1) u
      CROSS JOIN LATERAL (SELECT event_id, recorded_at FROM journal
        WHERE journal.user_id = u.id AND journal.version = u.version LIMIT 1) j`,
    values: [userIds],
  });
  return rows.map((row) => ({
    data: row.data,
    event: {
      id: row.event_id,
      entityId: row.entity_id,
      type: userStateType,
      time: row.time,
      subject: row.id,
      key: row.id,
      version: row.version,
      epoch,
      causationId: null,
      traceparent: null,
      data: null,
    },
  }));
}

/** Users of these shards that took a step in the last while, in pages by id of the journal. */
export async function readChangedUsers(
  database: Database,
  query: {
    readonly shards: readonly number[];
    readonly sinceMs: number;
    readonly after: number;
    readonly limit: number;
  },
): Promise<{ readonly userIds: readonly string[]; readonly after: number | null; readonly epoch: number }> {
  const after = query.after > 0 ? query.after : await lastIdBefore(database, Date.now() - query.sinceMs);
  const rows = await database.query<{ id: number; user_id: string; epoch: number }>({
    text: `SELECT id, user_id, (SELECT epoch FROM installation) AS epoch FROM journal WHERE id > $1 AND version IS NOT NULL AND shard = ANY ($2::smallint[])
      ORDER BY id LIMIT $3`,
    values: [after, query.shards, query.limit],
  });
  return {
    userIds: [...new Set(rows.map((row) => row.user_id))],
    after: rows.length < query.limit ? null : (rows.at(-1)?.id ?? null),
    epoch: rows[0]?.epoch ?? 1,
  };
}
