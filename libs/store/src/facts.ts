import type { Database } from './database.js';

/** What the service has seen of one identity and its app: the ground of a diagnosis. */
export interface IdentityFacts {
  readonly userId: string;
  readonly linkedAt: Date;
  readonly source: string;
  readonly pendingUnionId: string | null;
  readonly pendingReason: string | null;
  /** The user holds a key of the app's Open Platform account. */
  readonly hasKey: boolean;
  /** The user holds a retired key there: WeChat replaced it. */
  readonly hasRetiredKey: boolean;
  readonly subscribed: boolean | null;
}

export interface AppFacts {
  readonly kind: string;
  readonly openPlatformId: string | null;
  readonly boundSince: Date | null;
  readonly sandbox: boolean;
  readonly identities: number;
  readonly withUnionId: number;
  /** Counts of what is kept and cannot be used, by reason. */
  readonly pending: Readonly<Record<string, number>>;
  readonly notFollowing: number;
  readonly openConflicts: number;
  /** The six characters that most openIds of the app begin with; null: too few to tell. */
  readonly usualPrefix: string | null;
  /** Findings announced about its binding and not gone. */
  readonly suspicions: readonly string[];
}

export async function readIdentityFacts(
  database: Database,
  appId: string,
  openId: string,
): Promise<IdentityFacts | null> {
  const rows = await database.query<IdentityFacts & Record<string, unknown>>({
    text: `SELECT i.user_id AS "userId", i.linked_at AS "linkedAt", i.source, i.pending_union_id AS "pendingUnionId",
        i.pending_reason AS "pendingReason", s.subscribed,
        EXISTS (SELECT FROM union_key k WHERE k.user_id = i.user_id AND k.open_platform_id = a.open_platform_id
          AND k.retired_at IS NULL) AS "hasKey",
        EXISTS (SELECT FROM union_key k WHERE k.user_id = i.user_id AND k.open_platform_id = a.open_platform_id
          AND k.retired_at IS NOT NULL) AS "hasRetiredKey"
      FROM identity i JOIN app a ON a.id = i.app_id
      LEFT JOIN subscription s ON s.app_id = i.app_id AND s.open_id = i.open_id
      WHERE i.app_id = $1 AND i.open_id = $2`,
    values: [appId, openId],
  });
  return rows[0] ?? null;
}

export async function readAppFacts(database: Database, appId: string): Promise<AppFacts | null> {
  const rows = await database.query<AppFacts & Record<string, unknown>>({
    text: `SELECT a.kind, a.open_platform_id AS "openPlatformId", a.bound_since AS "boundSince", a.sandbox,
        (SELECT count(*) FROM identity i WHERE i.app_id = a.id) AS identities,
        (SELECT count(*) FROM identity i WHERE i.app_id = a.id AND EXISTS (SELECT FROM union_key k
          WHERE k.user_id = i.user_id AND k.open_platform_id = a.open_platform_id AND k.retired_at IS NULL)) AS "withUnionId",
        (SELECT coalesce(json_object_agg(reason, n), '{}') FROM (SELECT i.pending_reason AS reason, count(*) AS n
          FROM identity i WHERE i.app_id = a.id AND i.pending_reason IS NOT NULL GROUP BY 1) p) AS pending,
        (SELECT count(*) FROM subscription s WHERE s.app_id = a.id AND NOT s.subscribed) AS "notFollowing",
        (SELECT count(*) FROM conflict c WHERE c.app_id = a.id AND c.status = 'open') AS "openConflicts",
        (SELECT prefix FROM (SELECT left(i.open_id, 6) AS prefix, count(*) AS n, sum(count(*)) OVER () AS total
          FROM (SELECT open_id FROM identity WHERE app_id = a.id LIMIT 1000) i GROUP BY 1) x
          WHERE total >= 20 AND n > total * 0.9) AS "usualPrefix",
        ARRAY(SELECT finding FROM binding_suspicion s WHERE s.app_id = a.id ORDER BY since, finding) AS suspicions
      FROM app a WHERE a.id = $1`,
    values: [appId],
  });
  return rows[0] ?? null;
}

export interface AppCoverage {
  readonly appId: string;
  readonly identities: number;
  readonly withUnionId: number;
}

export interface Stats {
  readonly users: {
    readonly live: number;
    readonly provisional: number;
    readonly merged: number;
    readonly erased: number;
  };
  readonly apps: readonly AppCoverage[];
  readonly merges: { readonly merged: number; readonly reverted: number; readonly pending: number };
  readonly openConflicts: number;
}

/** Counts by full scans: for people, not for a hot path. */
export async function readStats(database: Database, entityId: string | null): Promise<Stats> {
  const [row] = await database.query<Stats & Record<string, unknown>>({
    text: `SELECT
        (SELECT json_build_object('live', count(*) FILTER (WHERE u.status = 'live'),
            'provisional', count(*) FILTER (WHERE u.status = 'live' AND NOT EXISTS (SELECT FROM union_key k
              WHERE k.user_id = u.id AND k.retired_at IS NULL)),
            'merged', count(*) FILTER (WHERE u.status = 'merged'), 'erased', count(*) FILTER (WHERE u.status = 'erased'))
          FROM users u WHERE $1::text IS NULL OR u.entity_id = $1) AS users,
        (SELECT coalesce(json_agg(x ORDER BY x."appId"), '[]') FROM (
          SELECT a.id AS "appId", count(i.open_id) AS identities, count(i.open_id) FILTER (WHERE EXISTS (
              SELECT FROM union_key k WHERE k.user_id = i.user_id AND k.open_platform_id = a.open_platform_id
                AND k.retired_at IS NULL)) AS "withUnionId"
          FROM app a LEFT JOIN identity i ON i.app_id = a.id
          WHERE $1::text IS NULL OR a.entity_id = $1 GROUP BY a.id) x) AS apps,
        (SELECT json_build_object('merged', count(*) FILTER (WHERE status = 'merged'),
            'reverted', count(*) FILTER (WHERE status = 'reverted'), 'pending', count(*) FILTER (WHERE status LIKE 'pending%'))
          FROM merge WHERE $1::text IS NULL OR entity_id = $1) AS merges,
        (SELECT count(*) FROM conflict WHERE status = 'open' AND ($1::text IS NULL OR entity_id = $1)) AS "openConflicts"`,
    values: [entityId],
  });
  if (row === undefined) throw new Error('a count answers a row');
  return row;
}
