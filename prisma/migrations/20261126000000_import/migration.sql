-- Imports: jobs whose lines are kept until they are applied, in portions, each in one transaction with its effect.

CREATE TABLE import_job (
  id          uuid PRIMARY KEY,
  entity_id   text NOT NULL REFERENCES entity,
  kind        text NOT NULL CHECK (kind IN ('identities', 'union_ids', 'open_ids', 'followers')),
  status      text NOT NULL CHECK (status IN ('queued', 'running', 'done', 'failed')),
  dry_run     boolean NOT NULL,
  app_id      text COLLATE "C",       -- followers: the account whose list is pulled
  total       bigint NOT NULL,
  done        bigint NOT NULL,
  failed      bigint NOT NULL,
  outcomes    jsonb NOT NULL DEFAULT '{}',
  -- Everything below it is applied. Raised in the transaction of the effect: of two workers one loses, and rolls back.
  next_unit   bigint NOT NULL DEFAULT 0,
  -- followers: where WeChat's list goes on, and whether it was read to its end.
  next_open_id text COLLATE "C",
  listed      boolean NOT NULL DEFAULT true,
  -- union_ids: the job that applied the same table before; this one only checks (a swap applied twice is undone).
  repeats     uuid,
  waiting     json,                   -- why it does not go on just now
  actor       text NOT NULL,
  request_id  text,
  traceparent text,
  created_at  timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
  started_at  timestamptz(3),
  worked_at   timestamptz(3),
  ended_at    timestamptz(3)
) WITH (fillfactor = 60);
CREATE INDEX import_job_open ON import_job (created_at, id) WHERE status IN ('queued', 'running');

-- What is still to be applied; a line goes when its effect commits, and with it the ids in it.
CREATE TABLE import_line (
  job_id  uuid NOT NULL,
  -- The order of application; lines of one unit are applied together or not at all.
  unit    bigint NOT NULL,
  line    bigint NOT NULL,            -- as the sender counts
  content json NOT NULL,
  PRIMARY KEY (job_id, unit, line)
);

CREATE TABLE import_error (
  job_id  uuid NOT NULL,
  line    bigint NOT NULL,
  code    text NOT NULL,
  message text NOT NULL,
  PRIMARY KEY (job_id, line)
);

-- A re-key table is known again by its content, whatever its order and format.
CREATE TABLE import_table (
  entity_id text NOT NULL,
  digest    bytea NOT NULL,
  job_id    uuid NOT NULL,
  PRIMARY KEY (entity_id, digest)
);

-- An openId that WeChat replaced, and the one that stands for it now: always the end of the chain.
CREATE TABLE retired_identity (
  app_id     text COLLATE "C" NOT NULL,
  open_id    text COLLATE "C" NOT NULL,
  entity_id  text NOT NULL,
  by_app_id  text COLLATE "C" NOT NULL,
  by_open_id text COLLATE "C" NOT NULL,
  linked_at  timestamptz(3) NOT NULL,
  retired_at timestamptz(3) NOT NULL,
  PRIMARY KEY (app_id, open_id)
);
CREATE INDEX retired_identity_by ON retired_identity (by_app_id, by_open_id);

-- As before, and for a retired openId also the user of the one that stands for it.
CREATE OR REPLACE FUNCTION lock_and_load(
  p_locks bigint[], p_app_ids text[], p_open_ids text[],
  p_entity_ids text[], p_open_platform_ids text[], p_union_ids text[],
  p_user_ids uuid[], p_fingerprints bytea[]
) RETURNS json LANGUAGE plpgsql
-- A plan made while the tables were small would stay a sequential scan in this connection until the next ANALYZE. Every
-- access here is by key, whatever the statistics say.
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
  held uuid[];
  found uuid[];
BEGIN
  -- The array is sorted, and a scan of it answers in its order: nothing between them could sort or run in parallel.
  PERFORM pg_advisory_xact_lock(l) FROM unnest(p_locks) l;

  SELECT array_agg(DISTINCT o) INTO held FROM (
    SELECT i.user_id FROM unnest(p_app_ids, p_open_ids) q(a, o) JOIN identity i ON i.app_id = q.a AND i.open_id = q.o
    UNION ALL
    SELECT i.user_id FROM unnest(p_app_ids, p_open_ids) q(a, o)
      JOIN retired_identity r ON r.app_id = q.a AND r.open_id = q.o
      JOIN identity i ON i.app_id = r.by_app_id AND i.open_id = r.by_open_id
    UNION ALL
    SELECT k.user_id FROM unnest(p_entity_ids, p_open_platform_ids, p_union_ids) q(e, p, u)
      JOIN union_key k ON k.entity_id = q.e AND k.open_platform_id = q.p AND k.union_id = q.u
    UNION ALL
    SELECT unnest(p_user_ids)
  ) owners(o);
  held := coalesce(held, '{}');

  PERFORM 1 FROM users WHERE id = ANY (held) ORDER BY id FOR NO KEY UPDATE;

  -- Between the first look and the lock a merge may have moved what we came for to a user we do not hold.
  SELECT array_agg(DISTINCT o) INTO found FROM (
    SELECT i.user_id FROM unnest(p_app_ids, p_open_ids) q(a, o) JOIN identity i ON i.app_id = q.a AND i.open_id = q.o
    UNION ALL
    SELECT i.user_id FROM unnest(p_app_ids, p_open_ids) q(a, o)
      JOIN retired_identity r ON r.app_id = q.a AND r.open_id = q.o
      JOIN identity i ON i.app_id = r.by_app_id AND i.open_id = r.by_open_id
    UNION ALL
    SELECT k.user_id FROM unnest(p_entity_ids, p_open_platform_ids, p_union_ids) q(e, p, u)
      JOIN union_key k ON k.entity_id = q.e AND k.open_platform_id = q.p AND k.union_id = q.u
  ) owners(o);
  IF NOT coalesce(found, '{}') <@ held THEN
    RAISE EXCEPTION 'ownership moved while waiting for the lock' USING ERRCODE = '40001';
  END IF;

  RETURN json_build_object(
    'now', clock_timestamp(),
    'users', (SELECT coalesce(json_agg(json_build_object(
        'id', u.id, 'entityId', u.entity_id, 'status', u.status, 'version', u.version,
        'mergedInto', u.merged_into, 'createdAt', u.created_at, 'ownCreatedAt', u.own_created_at,
        'leadsTo', (SELECT r.target_id FROM redirect r WHERE r.user_id = u.id))), '[]')
      FROM users u WHERE u.id = ANY (held)),
    'identities', (SELECT coalesce(json_agg(json_build_object(
        'appId', i.app_id, 'openId', i.open_id, 'userId', i.user_id, 'linkedAt', i.linked_at,
        'viaOpenPlatformId', i.via_open_platform_id, 'viaUnionId', i.via_union_id,
        'pendingUnionId', i.pending_union_id, 'pendingReason', i.pending_reason,
        'pendingObservedAt', i.pending_observed_at) ORDER BY i.linked_at, i.app_id, i.open_id), '[]')
      FROM identity i WHERE i.user_id = ANY (held)),
    'unionKeys', (SELECT coalesce(json_agg(json_build_object(
        'openPlatformId', k.open_platform_id, 'unionId', k.union_id, 'userId', k.user_id,
        'linkedAt', k.linked_at, 'retiredAt', k.retired_at) ORDER BY k.linked_at, k.open_platform_id, k.union_id), '[]')
      FROM union_key k WHERE k.user_id = ANY (held)),
    'separations', (SELECT coalesce(json_agg(json_build_object('id', s.id,
        'a', coalesce(ra.target_id, s.user_a), 'b', coalesce(rb.target_id, s.user_b))), '[]')
      FROM separation s LEFT JOIN redirect ra ON ra.user_id = s.user_a LEFT JOIN redirect rb ON rb.user_id = s.user_b
      WHERE s.id IN (
        SELECT x.id FROM separation x WHERE x.user_a = ANY (held) OR x.user_b = ANY (held)
        UNION ALL
        SELECT x.id FROM redirect r JOIN separation x ON x.user_a = r.user_id OR x.user_b = r.user_id
          WHERE r.target_id = ANY (held))),
    'conflicts', (SELECT coalesce(json_agg(json_build_object('id', c.id, 'kind', c.kind, 'appId', c.app_id,
        'openId', c.open_id, 'unionId', c.union_id, 'openPlatformId', c.open_platform_id, 'userIds', c.user_ids,
        'count', c.count, 'likelyCause', c.likely_cause)), '[]')
      FROM conflict c WHERE c.id IN (
        SELECT x.id FROM conflict x WHERE x.status = 'open' AND x.user_ids && held
        UNION
        -- Those of the identity too: since they opened it may have moved to a user who is no party of them.
        SELECT x.id FROM unnest(p_app_ids, p_open_ids) q(a, o)
          JOIN conflict x ON x.app_id = q.a AND x.open_id = q.o AND x.status = 'open')),
    'retired', (SELECT coalesce(json_agg(json_build_object('appId', r.app_id, 'openId', r.open_id,
        'byAppId', r.by_app_id, 'byOpenId', r.by_open_id, 'linkedAt', r.linked_at)), '[]')
      FROM unnest(p_app_ids, p_open_ids) q(a, o) JOIN retired_identity r ON r.app_id = q.a AND r.open_id = q.o),
    'departed', (SELECT coalesce(json_agg(json_build_object('fingerprint', encode(d.fingerprint, 'hex'),
        'at', d.departed_at, 'erased', d.erased)), '[]')
      FROM departed_identity d WHERE d.fingerprint = ANY (p_fingerprints)));
END $$;
