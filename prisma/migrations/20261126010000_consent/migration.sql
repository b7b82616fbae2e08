-- A merge by hand that waits for somebody: for consent, for approval, or for both. The merge row is its state; this is
-- what has come in so far. A merge that was requested with approval alone may have none.
CREATE TABLE merge_case (
  merge_id        uuid PRIMARY KEY,
  needs_approval  boolean NOT NULL,
  approved_by     text,
  -- The earliest deadline of an answer that is missing; null: no answer is waited for any more.
  due_at          timestamptz(3),
  decided_at      timestamptz(3),
  decision_reason text
);
CREATE INDEX merge_case_due ON merge_case (due_at) WHERE due_at IS NOT NULL;

-- Who was asked, taken down when the merge was requested: a participant registered later is not asked, and one that
-- changes its settings still owes this answer. The first answer inside the deadline is the answer.
CREATE TABLE consent (
  merge_id    uuid NOT NULL,
  participant text NOT NULL,
  deadline_at timestamptz(3) NOT NULL,
  answer      text CHECK (answer IN ('accept', 'refuse')),
  reason      text,
  answered_at timestamptz(3),
  PRIMARY KEY (merge_id, participant),
  CHECK ((answer IS NULL) = (answered_at IS NULL)),
  -- Nothing that came too late can be taken for consent, whatever the code believes.
  CHECK (answered_at < deadline_at)
);

-- Answers that changed nothing: late, repeated, or from somebody who was not asked. One row however often it came.
CREATE TABLE ignored_answer (
  merge_id    uuid NOT NULL,
  participant text NOT NULL,
  answer      text NOT NULL CHECK (answer IN ('accept', 'refuse')),
  why         text NOT NULL CHECK (why IN ('late', 'repeated', 'unknown')),
  reason      text,
  count       bigint NOT NULL DEFAULT 1,
  first_at    timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
  last_at     timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (merge_id, participant, answer, why)
);

-- When it was told that this answer is overdue: once.
ALTER TABLE acknowledgement ADD COLUMN overdue_told_at timestamptz(3);
CREATE INDEX acknowledgement_untold ON acknowledgement (overdue_at) WHERE status IS NULL AND overdue_told_at IS NULL;
CREATE INDEX acknowledgement_awaited ON acknowledgement (overdue_at) WHERE status IS NULL;
