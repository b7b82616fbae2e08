import type { Database } from './database.js';
import type { HistoryRow } from './lookup.js';
import { relatedUsers } from './related.js';

/** A name that WeChat gave one of the identities asked about, at any time. */
export interface Traced {
  readonly appId: string;
  readonly openId: string;
  /** As `departed_identity` has it, in hex. */
  readonly fingerprint: string;
  /** Which of the identities. */
  readonly place: number;
}

/** A step of a user who held one of the identities before it or after it: which of them. */
export interface HeldRow extends HistoryRow {
  readonly held_before: readonly number[];
  readonly held_after: readonly number[];
}

const heldIn = (data: string): string => `ARRAY(SELECT DISTINCT t.place FROM traced t
    JOIN json_array_elements(${data} -> 'user' -> 'identities') x ON x ->> 'appId' = t.app_id AND x ->> 'openId' = t.open_id
    ORDER BY 1)`;

/** What happened to whoever held these identities while they held them, newest first: also where they moved away since. */
export function readHeld(database: Database, identities: readonly Traced[], limit: number): Promise<HeldRow[]> {
  return database.query<HeldRow & Record<string, unknown>>({
    name: 'read-held',
    text: `WITH RECURSIVE traced (app_id, open_id, fingerprint, place) AS (
        SELECT * FROM json_to_recordset($1) AS x("appId" text, "openId" text, fingerprint text, place int)),
      start (id) AS (SELECT i.user_id FROM traced t JOIN identity i USING (app_id, open_id)
        UNION ALL SELECT d.user_id FROM traced t JOIN departed_identity d ON d.fingerprint = decode(t.fingerprint, 'hex')),
      ${relatedUsers('SELECT id FROM start WHERE id IS NOT NULL')},
      step AS (SELECT j.id, j.user_id, j.version, j.recorded_at, j.type, j.actor, j.cause, j.reason, j.request_id, j.evidence,
          j.data, p.data AS before, ${heldIn('p.data')} AS held_before, ${heldIn('j.data')} AS held_after
        FROM related r JOIN journal j ON j.user_id = r.id AND j.version IS NOT NULL
        LEFT JOIN journal p ON p.user_id = j.user_id AND p.version = j.version - 1)
      SELECT * FROM step WHERE held_before <> '{}' OR held_after <> '{}' ORDER BY id DESC LIMIT $2`,
    values: [JSON.stringify(identities), limit],
  });
}

/** What stands between people now, and is no step of their history. */
export interface StandingRow {
  readonly kind: 'separation' | 'conflict';
  readonly at: Date;
  readonly actor: string;
  readonly reason: string | null;
  /** The two users of a separation, as they were named when it was decided. */
  readonly between: readonly string[] | null;
  /** Of a conflict: its kind, how often it was seen, its likely cause. */
  readonly conflict: string | null;
  readonly count: number;
  readonly cause: string | null;
}

/** Decisions that keep the owners apart, under whatever ids they were taken, and the open conflicts of these identities. */
export function readStanding(
  database: Database,
  owners: readonly string[],
  identities: readonly { readonly appId: string; readonly openId: string }[],
): Promise<StandingRow[]> {
  return database.query<StandingRow & Record<string, unknown>>({
    text: `WITH owned AS (SELECT u AS owner, u AS id FROM unnest($1::uuid[]) u
        UNION ALL SELECT target_id, user_id FROM redirect WHERE target_id = ANY ($1))
      SELECT 'separation' AS kind, s.created_at AS at, s.actor, s.reason, ARRAY[s.user_a, s.user_b] AS between,
        NULL AS conflict, 1::bigint AS count, NULL AS cause
      FROM separation s JOIN owned a ON a.id = s.user_a JOIN owned b ON b.id = s.user_b AND b.owner <> a.owner
      UNION ALL
      SELECT 'conflict', c.first_seen_at, 'service', NULL, NULL, c.kind, c.count, c.likely_cause
      FROM json_to_recordset($2) AS i("appId" text, "openId" text)
      JOIN conflict c ON c.app_id = i."appId" AND c.open_id = i."openId" AND c.status = 'open'
      ORDER BY at`,
    values: [owners, JSON.stringify(identities)],
  });
}
