-- What speaks against the declared binding of an app, from when it was announced until it is gone: one notice each.
CREATE TABLE binding_suspicion (
  app_id           text COLLATE "C" NOT NULL REFERENCES app ON DELETE CASCADE,
  finding          text NOT NULL,
  open_platform_id text NOT NULL, -- as declared then: a new declaration starts anew
  since            timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (app_id, finding)
);
