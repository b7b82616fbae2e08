-- Whom an unlinked identity left: who owned it then can be found without reading the whole journal. Taken away with an
-- erasure of that user.
ALTER TABLE departed_identity ADD COLUMN user_id uuid;
CREATE INDEX departed_identity_user ON departed_identity (user_id) WHERE user_id IS NOT NULL;
