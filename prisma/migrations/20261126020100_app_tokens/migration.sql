-- An app's access token, shared by every replica. Whoever holds the lease asks WeChat, with no transaction open; the
-- version is what a refresh compares before it sets, so that one dead token is replaced once. Times are the database's.
CREATE TABLE app_token (
  app_id       text COLLATE "C" PRIMARY KEY REFERENCES app ON DELETE CASCADE,
  token        bytea,                       -- sealed with SECRETS_KEY; null until the first one came
  usable_until timestamptz(3),
  version      bigint NOT NULL DEFAULT 0,
  lease_owner  uuid,
  lease_until  timestamptz(3),
  CHECK ((token IS NULL) = (usable_until IS NULL)),
  CHECK ((lease_owner IS NULL) = (lease_until IS NULL))
);
