-- An answer may hold what is shown once (an API key) or speaks for a person (a session's token): it is kept sealed, and
-- beside it whom it is about, so that an erasure finds it. No index: keys live for a day, and erasures are rare.
DELETE FROM idempotency;
ALTER TABLE idempotency DROP COLUMN body, ADD COLUMN answer bytea, ADD COLUMN about uuid[] NOT NULL DEFAULT '{}';

-- What an unfinished request has done so far, each step written in the transaction of its effect. A process that dies
-- between the effect and the answer leaves it here; whoever repeats the request goes on behind it instead of doing it again.
CREATE TABLE idempotency_step (
  scope  text NOT NULL,
  key    text NOT NULL,
  n      integer NOT NULL,
  result bytea NOT NULL,              -- sealed JSON
  PRIMARY KEY (scope, key, n),
  FOREIGN KEY (scope, key) REFERENCES idempotency (scope, key) ON DELETE CASCADE
);
