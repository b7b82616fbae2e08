/**
 * The follower's own tables, in your database, beside yours. `ensureTables()` runs this; put it into your migrations
 * instead if you like, it is all there is. Two of them are yours to join with: `unionlink_identity` (identity → userId)
 * and `unionlink_user` (old id → current_id).
 */
export const tables: readonly string[] = [
  `CREATE TABLE IF NOT EXISTS unionlink_user (
    user_id     text PRIMARY KEY,
    epoch       bigint NOT NULL,
    version     bigint NOT NULL,   -- with epoch: the guard; what is not above it is ignored
    at          text NOT NULL,     -- when the newest state was made, RFC 3339 UTC
    status      text NOT NULL CHECK (status IN ('live', 'merged', 'erased')),
    merged_into text,
    folded_into text,              -- the redirect that onMerged was told
    current_id  text NOT NULL      -- where this id's data is now
  )`,
  'CREATE INDEX IF NOT EXISTS unionlink_user_folded ON unionlink_user (folded_into) WHERE folded_into IS NOT NULL',
  `CREATE INDEX IF NOT EXISTS unionlink_user_unfolded ON unionlink_user (user_id)
    WHERE status = 'merged' AND folded_into IS NULL`,
  `CREATE TABLE IF NOT EXISTS unionlink_identity (
    app_id  text,
    open_id text,
    user_id text,                            -- null: nobody has it now
    linked  boolean NOT NULL DEFAULT false,  -- false: known from a look-up only
    PRIMARY KEY (app_id, open_id)
  )`,
  `CREATE TABLE IF NOT EXISTS unionlink_holding (
    app_id  text,
    open_id text,
    user_id text,
    held    boolean NOT NULL,  -- false: had it, and data may still lie there
    PRIMARY KEY (app_id, open_id, user_id)
  )`,
  'CREATE INDEX IF NOT EXISTS unionlink_holding_user ON unionlink_holding (user_id)',
  `CREATE TABLE IF NOT EXISTS unionlink_parked_user (
    user_id    text PRIMARY KEY,
    attempts   integer NOT NULL DEFAULT 0,
    due_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    last_error text NOT NULL
  )`,
  `CREATE TABLE IF NOT EXISTS unionlink_parked_event (
    position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id  text NOT NULL REFERENCES unionlink_parked_user (user_id) ON DELETE CASCADE,
    body     text NOT NULL
  )`,
  'CREATE INDEX IF NOT EXISTS unionlink_parked_event_user ON unionlink_parked_event (user_id, position)',
  `CREATE TABLE IF NOT EXISTS unionlink_answer (
    kind    text,
    id      text,
    user_id text NOT NULL,
    at      text NOT NULL,
    sent_at timestamptz,
    PRIMARY KEY (kind, id)
  )`,
  'CREATE INDEX IF NOT EXISTS unionlink_answer_unsent ON unionlink_answer (user_id) WHERE sent_at IS NULL',
  'CREATE TABLE IF NOT EXISTS unionlink_cursor (name text PRIMARY KEY, value text)',
];

/** Two replicas that start at once must not create the same table at the same time. */
export const tablesLock = 'SELECT 1 AS locked FROM pg_advisory_xact_lock(7305808869232650000)';

/** What is there already, where `tables` would be made. */
export const tablesThere = `SELECT relname::text AS name FROM pg_class
  WHERE relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = current_schema())`;

/**
 * The statements that have something to do. An index that is there is not asked for again: that would wait for every
 * transaction that is open on its table, and whoever writes next would wait behind it.
 */
export function missingTables(there: readonly unknown[]): readonly string[] {
  const names = new Set((there as readonly { readonly name: string }[]).map(({ name }) => name));
  return tables.filter((statement) => !names.has(/IF NOT EXISTS (\w+)/.exec(statement)?.[1] ?? ''));
}
