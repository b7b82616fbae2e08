-- What WeChat pushed, stored before it is answered and handled after. The message itself may hold what people wrote: only
-- what the handling needs is kept, and of what cannot be understood the reason and the length.
CREATE TABLE push (
  id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  app_id      text COLLATE "C" NOT NULL,
  entity_id   text NOT NULL,
  -- The compound key of the message: the envelope of a repeat may differ, the message does not.
  dedupe_key  text NOT NULL,
  status      text NOT NULL CHECK (status IN ('waiting', 'done', 'parked')),
  message     json,
  reason      text,
  attempts    integer NOT NULL DEFAULT 0,
  created_at  timestamptz(3),        -- WeChat's CreateTime: what decides which of two pushes is newer
  received_at timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
  UNIQUE (app_id, dedupe_key)
);
CREATE INDEX push_waiting ON push (created_at, id) WHERE status = 'waiting';
CREATE INDEX push_received ON push (received_at);

-- Who follows a service account, as of WeChat's own time; pushes arrive in any order.
CREATE TABLE subscription (
  app_id     text COLLATE "C" NOT NULL,
  open_id    text COLLATE "C" NOT NULL,
  subscribed boolean NOT NULL,
  changed_at timestamptz(3) NOT NULL,
  PRIMARY KEY (app_id, open_id)
);

-- Followers whose unionId is to be asked for: the answer may come too early, so it is asked again.
CREATE TABLE follower_lookup (
  app_id    text COLLATE "C" NOT NULL,
  open_id   text COLLATE "C" NOT NULL,
  entity_id text NOT NULL,
  attempt   integer NOT NULL DEFAULT 0,
  due_at    timestamptz(3) NOT NULL,
  PRIMARY KEY (app_id, open_id)
);
CREATE INDEX follower_lookup_due ON follower_lookup (due_at);

-- Work that one process at a time does for all replicas; times are the database's.
CREATE TABLE duty (
  name       text PRIMARY KEY,
  owner      uuid NOT NULL,
  expires_at timestamptz NOT NULL
);
