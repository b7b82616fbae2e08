-- Users whose state the relay is asked to tell once more. Only the relay that holds a user's shard may send it: from
-- elsewhere an older state could land behind a newer one, and on a compacted topic the last record is what stays.
CREATE TABLE state_repair (
  user_id      uuid PRIMARY KEY,
  shard        smallint NOT NULL CHECK (shard BETWEEN 0 AND 15),
  requested_at timestamptz(3) NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX state_repair_shard ON state_repair (shard);
