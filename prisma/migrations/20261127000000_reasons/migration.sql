-- An erasure looks for its person in what people wrote about others. Few rows have a reason: automatic ones have none.
CREATE INDEX journal_reason ON journal (entity_id) WHERE reason IS NOT NULL;
CREATE INDEX merge_reason ON merge (entity_id) WHERE reason IS NOT NULL;
CREATE INDEX merge_revert_reason ON merge (entity_id) WHERE revert_reason IS NOT NULL;
CREATE INDEX conflict_reason ON conflict (entity_id) WHERE reason IS NOT NULL;
CREATE INDEX erasure_reason ON erasure (entity_id) WHERE reason IS NOT NULL;
CREATE INDEX acknowledgement_detail ON acknowledgement (subject_id) WHERE detail IS NOT NULL;
