-- Signing keys come in a line: each is published before it signs, so that verifiers' caches have it by then. `retired_at`
-- is set when the successor joins the line, to the moment at which that one begins; the unique index on the one without
-- it (signing_key_current) is what keeps two rotations at once from making two successors.
ALTER TABLE signing_key ADD COLUMN signs_from timestamptz(3);
UPDATE signing_key SET signs_from = created_at;
ALTER TABLE signing_key ALTER COLUMN signs_from SET DEFAULT clock_timestamp(), ALTER COLUMN signs_from SET NOT NULL;

-- Tokens that count no more though they have not expired. `xid`: pollers go on from a snapshot, not from an id, so that an
-- erasure which commits late is not skipped.
CREATE TABLE session_revocation (
  id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  xid           xid8 NOT NULL DEFAULT pg_current_xact_id(),
  entity_id     text NOT NULL,
  user_id       uuid,
  jti           uuid,
  issued_before timestamptz(3) NOT NULL,
  -- When the last token that this can mean has expired.
  expires_at    timestamptz(3) NOT NULL,
  CHECK ((user_id IS NULL) <> (jti IS NULL))
);
CREATE UNIQUE INDEX session_revocation_user ON session_revocation (entity_id, user_id) WHERE user_id IS NOT NULL;
CREATE UNIQUE INDEX session_revocation_jti ON session_revocation (entity_id, jti) WHERE jti IS NOT NULL;
CREATE INDEX session_revocation_xid ON session_revocation (entity_id, xid, id);
CREATE INDEX session_revocation_expires ON session_revocation (expires_at);

-- A rotated key has one successor; the constraint makes a repeated rotation find it.
ALTER TABLE api_key ADD COLUMN replaces uuid REFERENCES api_key;
CREATE UNIQUE INDEX api_key_replaces ON api_key (replaces) WHERE replaces IS NOT NULL;
CREATE INDEX api_key_prefix ON api_key (prefix text_pattern_ops);

-- What operators and admins did to the installation, written in the transaction of the deed. Never a secret in it.
CREATE TABLE admin_audit (
  id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at         timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
  entity_id  text,                    -- null: what concerns no single entity
  actor      text NOT NULL,
  action     text NOT NULL,
  subject    text NOT NULL,
  request_id text,
  details    json NOT NULL DEFAULT '{}'
);
CREATE INDEX admin_audit_entity ON admin_audit (entity_id, id);
