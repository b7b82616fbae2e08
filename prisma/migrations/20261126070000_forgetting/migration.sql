-- An erasure takes what it is about out of pushes that nobody could handle; few are parked, so this is small.
CREATE INDEX push_parked ON push (app_id) WHERE status = 'parked';

-- Jobs that ended are swept by their age.
CREATE INDEX import_job_ended ON import_job (ended_at) WHERE ended_at IS NOT NULL;
