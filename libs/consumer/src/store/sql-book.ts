import type { IdentityRef } from '#events';
import type { Book, Holding, PlacedHolding, SeenUser, UserRow } from '../book.js';
import { LostRace } from '../race.js';
import { SqlDesk } from './sql-desk.js';

const userColumns = `user_id AS "userId", epoch::float8 AS epoch, version::float8 AS version, at, status,
  merged_into AS "mergedInto", folded_into AS "foldedInto", current_id AS "currentId"`;
/** Sets travel as one JSON parameter: it is the one form that pg and Prisma's raw queries pass on alike. */
const identityRows = 'jsonb_to_recordset($1::jsonb) AS i("appId" text, "openId" text)';
const ids = '(SELECT jsonb_array_elements_text($1::jsonb))';
const under = `WITH RECURSIVE under(user_id) AS (
  SELECT $1::text UNION SELECT u.user_id FROM unionlink_user u JOIN under ON u.folded_into = under.user_id)`;

/** The book in SQL; parking, answers and cursors are in SqlDesk. Statements lock in id order. */
export class SqlBook extends SqlDesk implements Book {
  async lockTurns(): Promise<void> {
    await this.query('SELECT 1 AS locked FROM pg_advisory_xact_lock(7305808869232650001)', []);
  }

  async users(userIds: readonly string[]): Promise<readonly UserRow[]> {
    if (userIds.length === 0) return [];
    const sql = `SELECT ${userColumns} FROM unionlink_user WHERE user_id IN ${ids} ORDER BY user_id FOR UPDATE`;
    return this.query<UserRow>(sql, [JSON.stringify(userIds)]);
  }

  async note(userId: string): Promise<void> {
    await this.query(
      `INSERT INTO unionlink_user (user_id, epoch, version, at, status, current_id) VALUES ($1, 0, 0, '', 'live', $1)
       ON CONFLICT DO NOTHING`,
      [userId],
    );
  }

  async pin(userId: string): Promise<UserRow | null> {
    const sql = `SELECT ${userColumns} FROM unionlink_user WHERE user_id = $1 FOR SHARE`;
    return (await this.query<UserRow>(sql, [userId]))[0] ?? null;
  }

  async saveUsers(rows: readonly SeenUser[]): Promise<void> {
    if (rows.length === 0) return;
    const saved = await this.query(
      `INSERT INTO unionlink_user AS u (user_id, epoch, version, at, status, merged_into, current_id)
       SELECT "userId", epoch, version, at, status, "mergedInto", "userId" FROM jsonb_to_recordset($1::jsonb)
         AS r("userId" text, epoch bigint, version bigint, at text, status text, "mergedInto" text) ORDER BY "userId"
       ON CONFLICT (user_id) DO UPDATE SET epoch = excluded.epoch, version = excluded.version, at = excluded.at,
         status = excluded.status, merged_into = excluded.merged_into
       WHERE (u.epoch, u.version) < (excluded.epoch, excluded.version) RETURNING user_id`,
      [JSON.stringify(rows)],
    );
    if (saved.length !== rows.length) throw new LostRace('a newer state of the same user was written meanwhile');
  }

  async fold(userId: string, foldedInto: string | null, currentId: string): Promise<void> {
    await this.query('UPDATE unionlink_user SET folded_into = $2 WHERE user_id = $1', [userId, foldedInto]);
    await this.query(
      `${under} UPDATE unionlink_user SET current_id = $2 WHERE user_id IN (SELECT user_id FROM under)`,
      [userId, currentId],
    );
  }

  async usersUnder(userId: string): Promise<readonly string[]> {
    const rows = await this.query<{ userId: string }>(`${under} SELECT user_id AS "userId" FROM under`, [userId]);
    return rows.map((row) => row.userId);
  }

  async unfolded(): Promise<readonly UserRow[]> {
    return this.query<UserRow>(
      `SELECT ${userColumns} FROM unionlink_user WHERE status = 'merged' AND folded_into IS NULL
       ORDER BY user_id FOR UPDATE`,
      [],
    );
  }

  async mapped(identities: readonly IdentityRef[]): Promise<readonly IdentityRef[]> {
    if (identities.length === 0) return [];
    return this.query<IdentityRef>(
      `SELECT m.app_id AS "appId", m.open_id AS "openId" FROM unionlink_identity m
       JOIN ${identityRows} ON m.app_id = i."appId" AND m.open_id = i."openId"`,
      [JSON.stringify(identities)],
    );
  }

  async claim(rows: readonly (IdentityRef & { readonly userId: string | null })[]): Promise<number> {
    if (rows.length === 0) return 0;
    const taken = await this.query(
      `INSERT INTO unionlink_identity (app_id, open_id, user_id)
       SELECT "appId", "openId", "userId" FROM jsonb_to_recordset($1::jsonb)
         AS r("appId" text, "openId" text, "userId" text) ORDER BY "appId", "openId"
       ON CONFLICT DO NOTHING RETURNING app_id`,
      [JSON.stringify(rows)],
    );
    return taken.length;
  }

  async markLinked(identities: readonly IdentityRef[]): Promise<readonly IdentityRef[]> {
    if (identities.length === 0) return [];
    return this.query<IdentityRef>(
      `UPDATE unionlink_identity m SET linked = true FROM ${identityRows}
       WHERE m.app_id = i."appId" AND m.open_id = i."openId" AND NOT m.linked
       RETURNING m.app_id AS "appId", m.open_id AS "openId"`,
      [JSON.stringify(identities)],
    );
  }

  async setOwners(owners: readonly (IdentityRef & { readonly userId: string | null })[]): Promise<void> {
    await this.query(
      `UPDATE unionlink_identity m SET user_id = i."userId"
       FROM jsonb_to_recordset($1::jsonb) AS i("appId" text, "openId" text, "userId" text)
       WHERE m.app_id = i."appId" AND m.open_id = i."openId" AND m.user_id IS DISTINCT FROM i."userId"`,
      [JSON.stringify(owners)],
    );
  }

  async ownerOf({ appId, openId }: IdentityRef): Promise<string | null> {
    const sql = 'SELECT user_id AS "userId" FROM unionlink_identity WHERE app_id = $1 AND open_id = $2';
    return (await this.query<{ userId: string | null }>(sql, [appId, openId]))[0]?.userId ?? null;
  }

  async holdingsOf(userIds: readonly string[]): Promise<readonly Holding[]> {
    if (userIds.length === 0) return [];
    return this.query<Holding>(
      `SELECT app_id AS "appId", open_id AS "openId", user_id AS "userId", held FROM unionlink_holding
       WHERE user_id IN ${ids} ORDER BY app_id, open_id, user_id`,
      [JSON.stringify(userIds)],
    );
  }

  async holdingsFor(identities: readonly IdentityRef[]): Promise<readonly PlacedHolding[]> {
    return this.query<PlacedHolding>(
      `SELECT h.app_id AS "appId", h.open_id AS "openId", h.user_id AS "userId", h.held,
         coalesce(u.at, '') AS at, coalesce(u.current_id, h.user_id) AS "currentId"
       FROM ${identityRows} JOIN unionlink_holding h ON h.app_id = i."appId" AND h.open_id = i."openId"
       LEFT JOIN unionlink_user u USING (user_id) ORDER BY h.user_id`,
      [JSON.stringify(identities)],
    );
  }

  async putHoldings(rows: readonly Holding[]): Promise<void> {
    if (rows.length === 0) return;
    await this.query(
      `INSERT INTO unionlink_holding (app_id, open_id, user_id, held)
       SELECT "appId", "openId", "userId", held FROM jsonb_to_recordset($1::jsonb)
         AS r("appId" text, "openId" text, "userId" text, held boolean) ORDER BY 1, 2, 3
       ON CONFLICT (app_id, open_id, user_id) DO UPDATE SET held = excluded.held`,
      [JSON.stringify(rows)],
    );
  }

  async leave({ appId, openId, userId }: Omit<Holding, 'held'>): Promise<void> {
    await this.query(
      `INSERT INTO unionlink_holding (app_id, open_id, user_id, held) VALUES ($1, $2, $3, false) ON CONFLICT DO NOTHING`,
      [appId, openId, userId],
    );
  }

  async dropHoldings(rows: readonly Omit<Holding, 'held'>[]): Promise<void> {
    if (rows.length === 0) return;
    await this.query(
      `DELETE FROM unionlink_holding h
       USING jsonb_to_recordset($1::jsonb) AS i("appId" text, "openId" text, "userId" text)
       WHERE h.app_id = i."appId" AND h.open_id = i."openId" AND h.user_id = i."userId"`,
      [JSON.stringify(rows)],
    );
  }

  async forget(userIds: readonly string[]): Promise<void> {
    await this.query(
      `WITH gone AS (DELETE FROM unionlink_holding WHERE user_id IN ${ids} RETURNING app_id, open_id, user_id)
       DELETE FROM unionlink_identity m USING gone WHERE m.app_id = gone.app_id AND m.open_id = gone.open_id
         AND NOT EXISTS (SELECT FROM unionlink_holding h WHERE h.app_id = m.app_id AND h.open_id = m.open_id
                         AND h.user_id NOT IN ${ids})`,
      [JSON.stringify(userIds)],
    );
  }
}
