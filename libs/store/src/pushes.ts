import type { Database, Transaction } from './database.js';

/** What the handling of a push needs of it. */
export interface StoredMessage {
  readonly event: string | null;
  readonly openId: string;
  readonly unionId: string | null;
  readonly revokeInfo: string | null;
  /** ISO 8601. */
  readonly createdAt: string;
}

export interface WaitingPush {
  readonly id: number;
  readonly app_id: string;
  readonly entity_id: string;
  readonly message: StoredMessage;
  readonly attempts: number;
}

/** `message` null: it cannot be understood, see `reason`. */
export interface StoredPush {
  readonly appId: string;
  readonly entityId: string;
  readonly dedupeKey: string;
  readonly message: StoredMessage | null;
  readonly reason: string | null;
}

/**
 * One insert, and the pushes are ours; a repeat changes nothing. Ids go by arrival; the rows are written in the order of
 * their keys, or two replicas that store the same repeats would each wait for the other.
 */
export async function storePushes(database: Database, pushes: readonly StoredPush[]): Promise<void> {
  await database.query({
    name: 'store-pushes',
    text: `INSERT INTO push (id, app_id, entity_id, dedupe_key, status, message, reason, created_at)
      OVERRIDING SYSTEM VALUE
      SELECT id, app_id, entity_id, dedupe_key, CASE WHEN message IS NULL THEN 'parked' ELSE 'waiting' END,
          message::json, reason, (message::json ->> 'createdAt')::timestamptz
        FROM (
          SELECT nextval(pg_get_serial_sequence('push', 'id')) AS id, received.*
            FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[])
              AS received (app_id, entity_id, dedupe_key, message, reason)
        ) AS numbered
        ORDER BY app_id COLLATE "C", dedupe_key COLLATE "C"
      ON CONFLICT (app_id, dedupe_key) DO NOTHING`,
    values: [
      pushes.map(({ appId }) => appId),
      pushes.map(({ entityId }) => entityId),
      pushes.map(({ dedupeKey }) => dedupeKey),
      pushes.map(({ message }) => (message === null ? null : JSON.stringify(message))),
      pushes.map(({ reason }) => reason),
    ],
  });
}

/** Oldest by WeChat's time first. */
export function readWaitingPushes(database: Database, limit: number): Promise<WaitingPush[]> {
  return database.query<WaitingPush & Record<string, unknown>>({
    name: 'read-waiting-pushes',
    text: `SELECT id, app_id, entity_id, message, attempts FROM push WHERE status = 'waiting' ORDER BY created_at, id LIMIT $1`,
    values: [limit],
  });
}

/**
 * Marks as handled, in the transaction of the effect, and forgets the message. Answers the ids that were still waiting:
 * only their effect is to be written.
 */
export async function takePushes(transaction: Transaction, ids: readonly number[]): Promise<Set<number>> {
  const rows = await transaction.query<{ id: number }>({
    name: 'take-pushes',
    text: `UPDATE push SET status = 'done', message = NULL WHERE id = ANY ($1::bigint[]) AND status = 'waiting' RETURNING id`,
    values: [ids],
  });
  return new Set(rows.map((row) => row.id));
}

/** One more failed attempt; after the last it is parked, where an operator sees it. */
export async function failPush(database: Database, id: number, reason: string, attemptsMax: number): Promise<void> {
  await database.query({
    text: `UPDATE push SET attempts = attempts + 1, reason = $2,
        status = CASE WHEN attempts + 1 >= $3 THEN 'parked' ELSE status END WHERE id = $1 AND status = 'waiting'`,
    values: [id, reason, attemptsMax],
  });
}

/** Counted up to here: a month of garbage must not make every look expensive. */
const parkedCountMax = 10_000;

/** How many pushes nobody could read or handle, up to `parkedCountMax`. */
export async function countParkedPushes(database: Database): Promise<number> {
  const [row] = await database.query<{ n: number }>({
    name: 'count-parked-pushes',
    text: `SELECT count(*) AS n FROM (SELECT 1 FROM push WHERE status = 'parked' LIMIT $1) x`,
    values: [parkedCountMax],
  });
  return row?.n ?? 0;
}

/** Sets who follows, unless something newer is known. Answers the openIds for which that changed anything. */
export async function setSubscriptions(
  transaction: Transaction,
  changes: readonly {
    readonly appId: string;
    readonly openId: string;
    readonly subscribed: boolean;
    readonly at: string;
  }[],
): Promise<Set<string>> {
  const changed = new Set<string>();
  for (const { appId, openId, subscribed, at } of changes) {
    const rows = await transaction.query<{ fresh: boolean }>({
      name: 'set-subscription',
      text: `WITH before AS (SELECT subscribed FROM subscription WHERE app_id = $1 AND open_id = $2)
        INSERT INTO subscription (app_id, open_id, subscribed, changed_at) VALUES ($1, $2, $3, $4)
        ON CONFLICT (app_id, open_id) DO UPDATE SET subscribed = excluded.subscribed, changed_at = excluded.changed_at
          WHERE subscription.changed_at <= excluded.changed_at
        RETURNING (SELECT subscribed FROM before) IS DISTINCT FROM $3 AS fresh`,
      values: [appId, openId, subscribed, at],
    });
    if (rows[0]?.fresh === true) changed.add(`${appId}:${openId}:${subscribed}`);
  }
  return changed;
}

export async function scheduleLookup(
  transaction: Transaction,
  lookup: { readonly appId: string; readonly openId: string; readonly entityId: string; readonly dueInSeconds: number },
): Promise<void> {
  await transaction.query({
    text: `INSERT INTO follower_lookup (app_id, open_id, entity_id, due_at)
      VALUES ($1, $2, $3, clock_timestamp() + make_interval(secs => $4))
      ON CONFLICT (app_id, open_id) DO UPDATE SET attempt = 0, due_at = excluded.due_at`,
    values: [lookup.appId, lookup.openId, lookup.entityId, lookup.dueInSeconds],
  });
}

export interface DueLookup {
  readonly app_id: string;
  readonly open_id: string;
  readonly entity_id: string;
  readonly attempt: number;
}

export function readDueLookups(database: Database, limit: number): Promise<DueLookup[]> {
  return database.query<DueLookup & Record<string, unknown>>({
    name: 'read-due-lookups',
    text: `SELECT app_id, open_id, entity_id, attempt FROM follower_lookup WHERE due_at <= clock_timestamp() ORDER BY due_at LIMIT $1`,
    values: [limit],
  });
}

/** `againInSeconds` null: it is done, or given up. */
export async function settleLookup(
  database: Database,
  lookup: DueLookup,
  againInSeconds: number | null,
): Promise<void> {
  await database.query({
    text:
      againInSeconds === null
        ? 'DELETE FROM follower_lookup WHERE app_id = $1 AND open_id = $2'
        : `UPDATE follower_lookup SET attempt = attempt + 1, due_at = clock_timestamp() + make_interval(secs => $3)
           WHERE app_id = $1 AND open_id = $2`,
    values: [lookup.app_id, lookup.open_id, ...(againInSeconds === null ? [] : [againInSeconds])],
  });
}
