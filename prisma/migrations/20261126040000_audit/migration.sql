-- The journal proves itself: what is committed is sealed behind it, entity by entity, in chains of hashes. Nothing of it is
-- written in the transaction of a change: a chain drawn there would be one lock per entity for all its writers.

-- One link of an entity's chain, over a batch of entries in the order in which they were seen to be committed.
CREATE TABLE audit_seal (
  entity_id   text NOT NULL,
  seq         bigint NOT NULL CHECK (seq > 0),
  journal_ids bigint[] NOT NULL CHECK (cardinality(journal_ids) > 0),
  previous    bytea NOT NULL,
  hash        bytea NOT NULL,
  sealed_at   timestamptz(3) NOT NULL,
  PRIMARY KEY (entity_id, seq)
);

-- What a seal says of one entry. An erasure takes the salt away: the digest of what was personal stays part of the chain
-- and says nothing about anybody any more.
CREATE TABLE audit_leaf (
  journal_id bigint NOT NULL,
  seq        bigint NOT NULL,
  fixed      bytea NOT NULL, -- digest of what never changes
  personal   bytea NOT NULL, -- digest of the salt and of what an erasure may empty
  salt       uuid,
  PRIMARY KEY (journal_id, seq)
) WITH (fillfactor = 95);

-- How far the journal is sealed: a snapshot cursor, moved in the transaction of the seals.
CREATE TABLE audit_place (
  id     boolean PRIMARY KEY DEFAULT true CHECK (id),
  cursor text
);
INSERT INTO audit_place DEFAULT VALUES;

-- Entries that this erasure emptied or from which it took ids: they are sealed once more, as they are now.
ALTER TABLE erasure ADD COLUMN redacted bigint[] NOT NULL DEFAULT '{}';
