-- For installations that run Debezium: what its outbox event router wants to read, made of each row of the journal in the
-- transaction that writes it. Apply it as the owner of the tables (psql "$DATABASE_URL" -f outbox.sql); again does no harm.
-- What to do around it: docs/operating.md, "Debezium instead of the relay".

BEGIN;

-- Always empty: the rows are deleted in the transaction that writes them, and the router has read them from the log.
CREATE TABLE IF NOT EXISTS outbox (
  id           uuid PRIMARY KEY,
  topic        text NOT NULL, -- without KAFKA_TOPIC_PREFIX
  key          text NOT NULL,
  type         text NOT NULL,
  entity_id    text NOT NULL,
  source       text NOT NULL,
  time         text NOT NULL,
  subject      text,
  sequence     text,
  epoch        text NOT NULL,
  dataschema   text NOT NULL,
  causation_id text,
  traceparent  text,
  data         text NOT NULL,
  specversion  text NOT NULL DEFAULT '1.0',
  content_type text NOT NULL DEFAULT 'application/json'
);

-- Of its definer: whoever may write the journal need not know of the outbox. Temporary tables last, or a caller's own table
-- of the same name would be taken for ours.
CREATE OR REPLACE FUNCTION fill_outbox() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  INSERT INTO outbox
    SELECT event_id, CASE WHEN version IS NULL THEN 'identity.notices.v1' ELSE 'identity.user-events.v1' END, key, type, entity_id,
      '/identity/' || entity_id, to_char(recorded_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), user_id,
      lpad(version::text, 10, '0'), (SELECT epoch FROM installation), 'urn:unionlink:schemas:' || type, request_id, traceparent, data
    FROM written ORDER BY written.id;
  DELETE FROM outbox WHERE id IN (SELECT event_id FROM written);
  RETURN NULL;
END $$;

CREATE OR REPLACE TRIGGER fill_outbox AFTER INSERT ON journal REFERENCING NEW TABLE AS written
  FOR EACH STATEMENT EXECUTE FUNCTION fill_outbox();

DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_publication WHERE pubname = 'identity_outbox') THEN
    CREATE PUBLICATION identity_outbox FOR TABLE outbox WITH (publish = 'insert');
  END IF;
END $$;

COMMIT;
