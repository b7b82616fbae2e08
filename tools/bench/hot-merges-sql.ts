/** For pgbench: the service's own functions, called as a merge by hand and a first login call them, built in the database. */

/** Thirty users that everybody merges, and what the service decides, in SQL. */
export const setUp = `
  CREATE TABLE bench_hot (slot integer PRIMARY KEY, id uuid NOT NULL);
  CREATE SEQUENCE bench_born;

  CREATE FUNCTION bench_state(p users, p_version bigint, p_status text, p_into uuid, p_also uuid) RETURNS json LANGUAGE sql AS $$
    SELECT json_build_object('id', p.id, 'entityId', p.entity_id, 'status', p_status, 'version', p_version,
      'createdAt', p.created_at, 'mergedInto', p_into, 'unionIds', '[]'::json,
      'identities', CASE WHEN p_status = 'merged' THEN '[]' ELSE (SELECT json_agg(json_build_object('appId', app_id,
        'openId', open_id, 'linkedAt', linked_at)) FROM identity WHERE user_id IN (p.id, p_also)) END) $$;

  CREATE FUNCTION bench_entry(p_n integer, p_user uuid, p_version bigint, p_type text, p_more json, p_state json) RETURNS json LANGUAGE sql AS $$
    SELECT json_build_object('n', p_n, 'recordedAt', now(), 'entityId', 'bench', 'shard', ('x' || right(p_user::text, 1))::bit(4)::int,
      'userId', p_user, 'version', p_version, 'key', p_user, 'type', p_type, 'eventId', gen_random_uuid(), 'cause', 'admin',
      'actor', 'bench', 'reason', 'bench', 'data', json_build_object('userId', p_user, 'version', p_version, 'occurredAt', now(),
      'cause', 'admin', 'more', p_more, 'user', p_state)) $$;

  CREATE FUNCTION bench_merge(p_source uuid, p_target uuid) RETURNS uuid LANGUAGE plpgsql AS $$
  DECLARE s users; t users; made uuid := gen_random_uuid(); moved json;
  BEGIN
    SELECT * INTO s FROM users WHERE id = p_source;
    SELECT * INTO t FROM users WHERE id = p_target;
    IF s.status <> 'live' OR t.status <> 'live' THEN RETURN NULL; END IF;
    SELECT json_agg(json_build_object('appId', app_id, 'openId', open_id, 'userId', p_target, 'linkedAt', linked_at))
      INTO moved FROM identity WHERE user_id = p_source;
    PERFORM apply_changes(
      json_build_array(
        json_build_object('id', s.id, 'entityId', 'bench', 'status', 'merged', 'version', s.version + 1, 'mergedInto', t.id, 'createdAt', s.created_at),
        json_build_object('id', t.id, 'entityId', 'bench', 'status', 'live', 'version', t.version + 1, 'createdAt', least(s.created_at, t.created_at))),
      NULL, NULL, moved, NULL, NULL, NULL,
      json_build_array(json_build_object('userId', s.id, 'targetId', t.id)),
      json_build_array(json_build_object('id', made, 'entityId', 'bench', 'sourceUserId', s.id, 'targetUserId', t.id, 'status', 'merged',
        'automatic', false, 'reason', 'bench', 'requestedBy', 'bench', 'decidedBy', 'bench', 'movedIdentities', moved, 'movedUnionIds', '[]'::json,
        'sourceCreatedAt', s.created_at, 'targetCreatedAt', t.created_at, 'sourceVersion', s.version + 1, 'targetVersion', t.version + 1,
        'requestedAt', now(), 'mergedAt', now())),
      NULL, NULL, NULL, NULL,
      json_build_array(
        bench_entry(1, s.id, s.version + 1, 'identity.UserRedirected.v1', json_build_object('mergeId', made), bench_state(s, s.version + 1, 'merged', t.id, NULL)),
        bench_entry(2, t.id, t.version + 1, 'identity.UserMerged.v1', moved, bench_state(t, t.version + 1, 'live', NULL, s.id))));
    RETURN made;
  END $$;

  CREATE FUNCTION bench_birth() RETURNS uuid LANGUAGE plpgsql AS $$
  DECLARE born uuid := gen_random_uuid(); open text := 'pgbench-' || nextval('bench_born'); u users;
  BEGIN
    PERFORM lock_and_load(ARRAY[hashtextextended(open, 0)], ARRAY['bench-hot'], ARRAY[open], '{}', '{}', '{}', '{}', '{}');
    u.id := born; u.entity_id := 'bench'; u.created_at := now();
    PERFORM apply_changes(
      json_build_array(json_build_object('id', born, 'entityId', 'bench', 'status', 'live', 'version', 1, 'createdAt', now())),
      NULL, json_build_array(json_build_object('appId', 'bench-hot', 'openId', open, 'entityId', 'bench', 'userId', born, 'linkedAt', now(), 'source', 'bench')),
      NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
      json_build_array(bench_entry(1, born, 1, 'identity.UserLinked.v1', NULL, bench_state(u, 1, 'live', NULL, NULL))));
    RETURN born;
  END $$;`;

/** Statement by statement as the service sends them; somebody new takes the place of who was merged away. */
export const script = `
\\set at random(0, 29)
\\set other (:at + random(1, 29)) % 30
SELECT id AS source FROM bench_hot WHERE slot = :at \\gset
SELECT id AS target FROM bench_hot WHERE slot = :other \\gset
BEGIN;
SELECT lock_and_load('{}', '{}', '{}', '{}', '{}', '{}', ARRAY[:source, :target]::uuid[], '{}');
SELECT name, answer_within_seconds FROM participant WHERE entity_id = 'bench' AND 'merge' = ANY (consents) ORDER BY name;
SELECT bench_merge(:source::uuid, :target::uuid) IS NOT NULL AS happened \\gset
INSERT INTO acknowledgement (kind, subject_id, participant, expected, overdue_at)
  SELECT 'merge', :source::uuid, name, true, now() FROM participant WHERE entity_id = 'bench' AND 'merge' = ANY (acknowledges);
COMMIT;
\\if :happened
UPDATE bench_hot SET id = bench_birth() WHERE slot = :at;
\\endif
`;
