import type { Database, Transaction } from './database.js';

export interface RevocationRow {
  readonly user_id: string | null;
  readonly jti: string | null;
  readonly issued_before: Date;
  readonly expires_at: Date;
}

/** Where a poller stands: everything below this transaction number it has seen. */
export interface RevocationPage {
  readonly rows: readonly RevocationRow[];
  readonly nextXid: string;
  readonly hasMore: boolean;
}

const pageMax = 2_000;

/** Whole seconds, rounded up: tokens say in whole seconds when they were issued, and not one issued before may pass. */
const nextSecond = `date_trunc('second', clock_timestamp()) + interval '1 second'`;

/**
 * Everything issued to these users until now. Sorted, so that two at once wait for each other in one order. A repeat
 * moves the moment on.
 */
export async function revokeUserSessions(
  transaction: Transaction,
  request: { readonly entityId: string; readonly userIds: readonly string[]; readonly sessionSeconds: number },
): Promise<{ issuedBefore: Date; expiresAt: Date }> {
  const rows = await transaction.query<{ issued_before: Date; expires_at: Date }>({
    text: `INSERT INTO session_revocation (entity_id, user_id, issued_before, expires_at)
      SELECT $1, id, ${nextSecond}, ${nextSecond} + make_interval(secs => $3)
      FROM (SELECT DISTINCT unnest($2::uuid[]) AS id ORDER BY id) ids
      ON CONFLICT (entity_id, user_id) WHERE user_id IS NOT NULL DO UPDATE SET
        issued_before = excluded.issued_before, expires_at = excluded.expires_at, xid = pg_current_xact_id()
      RETURNING issued_before, expires_at`,
    values: [request.entityId, request.userIds, request.sessionSeconds],
  });
  const [row] = rows;
  if (row === undefined) throw new Error('there is somebody to revoke the sessions of');
  return { issuedBefore: row.issued_before, expiresAt: row.expires_at };
}

/** One token. It lives for `sessionSeconds` from now at most, whenever it was issued. */
export async function revokeToken(
  transaction: Transaction,
  request: { readonly entityId: string; readonly jti: string; readonly sessionSeconds: number },
): Promise<{ expiresAt: Date }> {
  const [row] = await transaction.query<{ expires_at: Date }>({
    text: `INSERT INTO session_revocation (entity_id, jti, issued_before, expires_at)
      VALUES ($1, $2, ${nextSecond}, ${nextSecond} + make_interval(secs => $3))
      ON CONFLICT (entity_id, jti) WHERE jti IS NOT NULL DO UPDATE SET xid = session_revocation.xid
      RETURNING expires_at`,
    values: [request.entityId, request.jti, request.sessionSeconds],
  });
  if (row === undefined) throw new Error('an upsert answers its row');
  return { expiresAt: row.expires_at };
}

/**
 * What was revoked since, oldest first. Of the transactions that were under way when the poller last looked everything is
 * shown again: repeats are allowed, gaps are not. Only the settled part is paged; what is above it is always shown.
 */
export async function readRevocations(
  database: Database,
  entityId: string | null,
  sinceXid: string,
): Promise<RevocationPage> {
  const rows = await database.query<RevocationRow & { xid: string; settled: boolean; xmin: string }>({
    name: 'read-session-revocations',
    text: `WITH seen AS (SELECT pg_snapshot_xmin(pg_current_snapshot()) AS xmin),
      listed AS (SELECT r.* FROM session_revocation r
        WHERE ($1::text IS NULL OR entity_id = $1) AND xid >= $2::text::xid8 AND expires_at > clock_timestamp())
      SELECT l.user_id, l.jti, l.issued_before, l.expires_at, l.xid::text AS xid, l.xid < s.xmin AS settled, s.xmin::text AS xmin
        FROM seen s LEFT JOIN (
          (SELECT * FROM listed WHERE xid < (SELECT xmin FROM seen) ORDER BY xid, id LIMIT $3)
          UNION ALL
          (SELECT * FROM listed WHERE xid >= (SELECT xmin FROM seen))) l ON true
        ORDER BY l.xid, l.id`,
    values: [entityId, sinceXid, pageMax],
  });
  const settled = rows.filter((row) => row.settled);
  const hasMore = settled.length === pageMax;
  const nextXid = hasMore ? settled.at(-1)?.xid : rows[0]?.xmin;
  if (nextXid === undefined) throw new Error('a snapshot has an end');
  return { rows: rows.filter((row) => row.xid !== null), nextXid, hasMore };
}

export async function dropSpentRevocations(database: Database): Promise<number> {
  const rows = await database.query({
    text: 'DELETE FROM session_revocation WHERE expires_at < clock_timestamp() RETURNING 1',
  });
  return rows.length;
}
