-- A key may be a participant's own: it answers as that participant and as nobody else.
ALTER TABLE api_key ADD COLUMN participant text CHECK (participant IS NULL OR entity_id IS NOT NULL);
CREATE INDEX api_key_participant ON api_key (entity_id, participant) WHERE participant IS NOT NULL;
