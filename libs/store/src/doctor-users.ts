import { walkSql } from './doctor-sql.js';

/** The last entry of each user, as far as it is about the version that the user is at. */
const last = `CROSS JOIN LATERAL (SELECT data -> 'user' AS state FROM journal
    WHERE journal.user_id = p.id AND journal.version = p.version LIMIT 1) j`;

const leads = [
  `SELECT 'G3', CASE
      WHEN r.target_id IS NULL THEN 'the id was merged away and leads nowhere'
      WHEN t.id IS NULL THEN 'the id leads to one that does not exist'
      WHEN t.status = 'merged' THEN 'the id leads to another one that was merged away'
      WHEN t.entity_id <> p.entity_id THEN 'the id leads into another entity'
      ELSE 'the id does not lead to the end of its chain' END, ARRAY[p.id, r.target_id]::text[]
    FROM page p LEFT JOIN redirect r ON r.user_id = p.id LEFT JOIN users t ON t.id = r.target_id
      LEFT JOIN redirect onward ON onward.user_id = p.merged_into
    WHERE p.status = 'merged' AND (t.status IS NULL OR t.status = 'merged' OR t.entity_id <> p.entity_id
      OR r.target_id <> coalesce(onward.target_id, p.merged_into))`,
  `SELECT 'G3', 'the id is ' || p.status || ' and leads to another one', ARRAY[p.id, r.target_id]::text[]
    FROM page p JOIN redirect r ON r.user_id = p.id WHERE p.status <> 'merged'`,
];

/** `steps`: what the journal holds of each user of the page. */
const steps = `page p CROSS JOIN LATERAL (
    SELECT count(*) AS entries, count(DISTINCT version) AS versions, coalesce(max(version), 0) AS newest,
      bool_or(is_late) AS is_late, array_agg(DISTINCT version) AS known
    FROM (SELECT version, lag(id) OVER (ORDER BY version, id) > id AS is_late FROM journal
      WHERE journal.user_id = p.id AND version IS NOT NULL) told) s`;

const versions = [
  `SELECT 'G7', 'versions are missing: ' || (SELECT string_agg(v::text, ', ') FROM (SELECT v FROM generate_series(1, s.newest) v
      WHERE v <> ALL (s.known) ORDER BY v LIMIT 5) missing), ARRAY[p.id]::text[] FROM ${steps} WHERE s.versions < s.newest`,
  `SELECT 'G7', 'a version was taken twice', ARRAY[p.id]::text[] FROM ${steps} WHERE s.entries > s.versions`,
  `SELECT 'G7', 'versions are out of the order of the journal', ARRAY[p.id]::text[] FROM ${steps}
    WHERE s.is_late AND s.entries = s.versions`,
  `SELECT 'G10', 'the user is at version ' || p.version || ' and its entries end at ' || s.newest, ARRAY[p.id]::text[]
    FROM ${steps} WHERE s.newest < p.version`,
  `SELECT 'G6', 'there is an event of version ' || s.newest || ' and the user is at ' || p.version, ARRAY[p.id]::text[]
    FROM ${steps} WHERE s.newest > p.version`,
];

const folded = [
  `SELECT 'G5', 'its last event shows the user otherwise than it is', ARRAY[p.id]::text[] FROM page p ${last}
    WHERE j.state ->> 'status' IS DISTINCT FROM p.status
      OR j.state ->> 'mergedInto' IS DISTINCT FROM p.merged_into::text
      OR (p.status = 'live' AND (j.state ->> 'createdAt')::timestamptz IS DISTINCT FROM p.created_at)`,
  `SELECT CASE WHEN i.user_id IS NULL THEN 'G1' ELSE 'G5' END,
      CASE WHEN i.user_id IS NULL THEN 'its last event shows an identity that nobody owns'
        ELSE 'its last event shows an identity that another user owns' END,
      ARRAY[p.id::text, x ->> 'appId' || ':' || (x ->> 'openId'), i.user_id::text]
    FROM page p ${last} CROSS JOIN LATERAL json_array_elements(j.state -> 'identities') x
    LEFT JOIN LATERAL (SELECT user_id FROM identity WHERE app_id = x ->> 'appId' AND open_id = x ->> 'openId'
      ORDER BY user_id = p.id DESC LIMIT 1) i ON true
    WHERE p.status = 'live' AND i.user_id IS DISTINCT FROM p.id`,
  `SELECT 'G5', 'its last event does not show an identity that it owns', ARRAY[p.id::text, i.app_id || ':' || i.open_id]
    FROM page p ${last} JOIN identity i ON i.user_id = p.id
    WHERE p.status = 'live' AND NOT EXISTS (SELECT FROM json_array_elements(j.state -> 'identities') x
      WHERE x ->> 'appId' = i.app_id AND x ->> 'openId' = i.open_id)`,
  `SELECT 'G5', 'its last event shows a unionId that does not lead to it', ARRAY[p.id::text, x ->> 'openPlatformId' || ':' || (x ->> 'unionId')]
    FROM page p ${last} CROSS JOIN LATERAL json_array_elements(j.state -> 'unionIds') x
    WHERE p.status = 'live' AND NOT EXISTS (SELECT FROM union_key k WHERE k.entity_id = p.entity_id
      AND k.open_platform_id = x ->> 'openPlatformId' AND k.union_id = x ->> 'unionId' AND k.user_id = p.id AND k.retired_at IS NULL)`,
  `SELECT 'G5', 'its last event does not show a unionId that leads to it', ARRAY[p.id::text, k.open_platform_id || ':' || k.union_id]
    FROM page p ${last} JOIN union_key k ON k.user_id = p.id AND k.retired_at IS NULL
    WHERE p.status = 'live' AND NOT EXISTS (SELECT FROM json_array_elements(j.state -> 'unionIds') x
      WHERE x ->> 'openPlatformId' = k.open_platform_id AND x ->> 'unionId' = k.union_id)`,
];

export const usersSql = walkSql(
  'SELECT * FROM users WHERE id > ($1::text[])[1]::uuid ORDER BY id LIMIT $2',
  'ARRAY[id::text] FROM page ORDER BY id DESC LIMIT 1',
  [...leads, ...versions, ...folded],
);
