import type { Database, Transaction } from './database.js';

/** Counts stop here: to tell "none" from "some" nobody has to count a million. */
export const countedMax = 100;

/** What was seen of one app under the binding it is declared to have. Counts go up to `countedMax`. */
export interface BindingCounts {
  readonly appId: string;
  readonly entityId: string;
  readonly openPlatformId: string;
  /** People who came since the binding, in a way that should have brought a unionId. */
  readonly telling: number;
  readonly withUnionId: number;
  /** The same of the other apps of the account, together. */
  readonly siblingsWithUnionId: number;
  /** Somebody is known in this app and in one of those. */
  readonly meetsSiblings: boolean;
  /** People whose openId came with another unionId than the one held, not decided yet; and those of the last day. */
  readonly changed: number;
  readonly changedLately: number;
  /** OpenIds that begin unlike nearly all others of the app. */
  readonly foreign: number;
  /** Findings announced and not gone. */
  readonly announced: readonly string[];
}

/** Sources that promise no unionId: silent authorisation, pushes, lists of old people, a hand, what a client says. */
const untelling = [
  'oauth_base',
  'push_event',
  'import',
  'operator_import',
  'operator',
  'encrypted_data',
  'client_claim',
];

/** Apps whose binding can be doubted: declared, and no test accounts. */
export async function readBoundApps(database: Database): Promise<string[]> {
  const rows = await database.query<{ id: string }>({
    text: 'SELECT id FROM app WHERE open_platform_id IS NOT NULL AND NOT sandbox ORDER BY id',
  });
  return rows.map(({ id }) => id);
}

export async function readBindingCounts(database: Database, appId: string): Promise<BindingCounts | null> {
  const rows = await database.query<BindingCounts & Record<string, unknown>>({
    text: `WITH a AS (SELECT * FROM app WHERE id = $1 AND open_platform_id IS NOT NULL AND NOT sandbox),
      siblings AS (SELECT b.id FROM app b, a WHERE b.entity_id = a.entity_id
        AND b.open_platform_id = a.open_platform_id AND b.id <> a.id),
      usual AS (SELECT prefix FROM (SELECT left(open_id, 6) AS prefix, count(*) AS n, sum(count(*)) OVER () AS total
          FROM (SELECT open_id FROM identity WHERE app_id = $1 LIMIT 1000) i GROUP BY 1) x
        WHERE total >= 20 AND n > total * 0.9)
      SELECT a.id AS "appId", a.entity_id AS "entityId", a.open_platform_id AS "openPlatformId",
        (SELECT count(*) FROM (SELECT FROM identity i WHERE i.app_id = a.id AND i.source <> ALL ($2)
          AND i.linked_at >= coalesce(a.bound_since, '-infinity') LIMIT ${countedMax}) x) AS telling,
        (SELECT count(*) FROM (SELECT FROM identity i JOIN union_key k ON k.user_id = i.user_id
          WHERE i.app_id = a.id AND k.open_platform_id = a.open_platform_id AND k.retired_at IS NULL
          LIMIT ${countedMax}) x) AS "withUnionId",
        (SELECT count(*) FROM (SELECT FROM siblings s JOIN identity i ON i.app_id = s.id
          JOIN union_key k ON k.user_id = i.user_id
          WHERE k.open_platform_id = a.open_platform_id AND k.retired_at IS NULL
          LIMIT ${countedMax}) x) AS "siblingsWithUnionId",
        EXISTS (SELECT FROM identity i JOIN identity j ON j.user_id = i.user_id JOIN siblings s ON s.id = j.app_id
          WHERE i.app_id = a.id) AS "meetsSiblings",
        c.changed, c."changedLately",
        coalesce((SELECT (SELECT count(*) FROM (SELECT FROM identity WHERE app_id = a.id
            AND open_id < usual.prefix LIMIT ${countedMax}) x)
          + (SELECT count(*) FROM (SELECT FROM identity WHERE app_id = a.id
            AND open_id > usual.prefix || '~' LIMIT ${countedMax}) x) FROM usual), 0) AS foreign,
        ARRAY(SELECT finding FROM binding_suspicion s WHERE s.app_id = a.id) AS announced
      FROM a, LATERAL (SELECT count(DISTINCT open_id) AS changed,
          count(DISTINCT open_id) FILTER (WHERE first_seen_at > clock_timestamp() - interval '1 day') AS "changedLately"
        FROM conflict WHERE entity_id = a.entity_id AND status = 'open' AND app_id = a.id
          AND kind = 'different_union_id') c`,
    values: [appId, untelling],
  });
  return rows[0] ?? null;
}

/** Forgets what was announced under another declaration, or of an app that is none to be doubted any more. */
export async function dropOutdatedSuspicions(database: Database): Promise<void> {
  await database.query({
    text: `DELETE FROM binding_suspicion s USING app a
      WHERE a.id = s.app_id AND (a.sandbox OR a.open_platform_id IS DISTINCT FROM s.open_platform_id)`,
  });
}

/** Forgets what is gone, so that it is announced again should it come back. */
export async function dropSuspicions(database: Database, appId: string, findings: readonly string[]): Promise<void> {
  await database.query({
    text: 'DELETE FROM binding_suspicion WHERE app_id = $1 AND finding = ANY ($2)',
    values: [appId, findings],
  });
}

/** True: it is new, and is to be announced in this transaction. */
export async function addSuspicion(
  transaction: Transaction,
  { appId, openPlatformId }: Pick<BindingCounts, 'appId' | 'openPlatformId'>,
  finding: string,
): Promise<boolean> {
  const rows = await transaction.query({
    text: `INSERT INTO binding_suspicion (app_id, finding, open_platform_id) VALUES ($1, $2, $3)
      ON CONFLICT DO NOTHING RETURNING 1`,
    values: [appId, finding, openPlatformId],
  });
  return rows.length > 0;
}
