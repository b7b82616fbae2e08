import { walkSql } from './doctor-sql.js';

const owned = (rule: string, thing: string, name: string): string => `SELECT '${rule}', CASE
      WHEN u.id IS NULL THEN 'the ${thing} belongs to a user that does not exist'
      WHEN u.status <> 'live' THEN 'the ${thing} belongs to a user that is ' || u.status
      ELSE 'the ${thing} belongs to a user of another entity' END, ARRAY[${name}, p.user_id::text]
    FROM page p LEFT JOIN LATERAL (SELECT * FROM users WHERE users.id = p.user_id LIMIT 1) u ON true
    WHERE u.status IS DISTINCT FROM 'live' OR u.entity_id <> p.entity_id`;

const identityName = `p.app_id || ':' || p.open_id`;

/** G1, also where the primary key that keeps it is gone: an index that is damaged, or was dropped, shows here. */
export const identitiesSql = walkSql(
  `SELECT * FROM identity WHERE (app_id, open_id) > (($1::text[])[1], ($1::text[])[2]) ORDER BY app_id, open_id LIMIT $2`,
  'ARRAY[app_id, open_id] FROM page ORDER BY app_id DESC, open_id DESC LIMIT 1',
  [
    owned('G1', 'identity', identityName),
    `SELECT DISTINCT 'G1', 'the identity has more than one owner', ARRAY[${identityName}] || owners.ids
      FROM page p CROSS JOIN LATERAL (SELECT array_agg(o.user_id::text ORDER BY o.user_id) AS ids FROM identity o
        WHERE o.app_id = p.app_id AND o.open_id = p.open_id) owners WHERE cardinality(owners.ids) > 1`,
  ],
);

const keyName = `p.open_platform_id || ':' || p.union_id`;

export const unionKeysSql = walkSql(
  `SELECT * FROM union_key WHERE (entity_id, open_platform_id, union_id) > (($1::text[])[1], ($1::text[])[2], ($1::text[])[3])
    ORDER BY entity_id, open_platform_id, union_id LIMIT $2`,
  `ARRAY[entity_id, open_platform_id, union_id] FROM page
    ORDER BY entity_id DESC, open_platform_id DESC, union_id DESC LIMIT 1`,
  [
    owned('G2', 'unionId', keyName),
    `SELECT DISTINCT 'G2', 'the unionId leads to more than one user', ARRAY[${keyName}] || owners.ids
      FROM page p CROSS JOIN LATERAL (SELECT array_agg(o.user_id::text ORDER BY o.user_id) AS ids FROM union_key o
        WHERE o.entity_id = p.entity_id AND o.open_platform_id = p.open_platform_id AND o.union_id = p.union_id) owners
      WHERE cardinality(owners.ids) > 1`,
  ],
);
