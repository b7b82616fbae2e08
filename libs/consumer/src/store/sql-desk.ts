import type { Answer, ParkedEvent, ParkedUser } from '../book.js';

/** One statement inside the transaction at hand; columns come back under the names they are given. */
export type Query = <Row extends object = object>(sql: string, parameters: readonly unknown[]) => Promise<Row[]>;

/** Parked users, answers to give, and places in streams. */
export class SqlDesk {
  constructor(protected readonly query: Query) {}

  async parked(userIds: readonly string[]): Promise<ReadonlySet<string>> {
    if (userIds.length === 0) return new Set();
    const rows = await this.query<{ userId: string }>(
      `SELECT user_id AS "userId" FROM unionlink_parked_user
       WHERE user_id IN (SELECT jsonb_array_elements_text($1::jsonb)) ORDER BY user_id FOR SHARE`,
      [JSON.stringify(userIds)],
    );
    return new Set(rows.map((row) => row.userId));
  }

  async park(userId: string, bodies: readonly string[], error: string): Promise<void> {
    await this.query(
      `INSERT INTO unionlink_parked_user (user_id, last_error) VALUES ($1, $2) ON CONFLICT (user_id) DO NOTHING`,
      [userId, error],
    );
    await this.query(
      `INSERT INTO unionlink_parked_event (user_id, body)
       SELECT $1, body FROM jsonb_array_elements_text($2::jsonb) WITH ORDINALITY AS b(body, n) ORDER BY n`,
      [userId, JSON.stringify(bodies)],
    );
  }

  async nextDue(
    eventsMax: number,
  ): Promise<{ readonly user: ParkedUser; readonly events: readonly ParkedEvent[] } | null> {
    const [user] = await this.query<ParkedUser>(
      `SELECT user_id AS "userId", attempts FROM unionlink_parked_user WHERE due_at <= clock_timestamp()
       ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED`,
      [],
    );
    if (user === undefined) return null;
    const events = await this.query<ParkedEvent>(
      `SELECT position::float8 AS position, body FROM unionlink_parked_event WHERE user_id = $1
       ORDER BY unionlink_parked_event.position LIMIT $2::int`,
      [user.userId, eventsMax],
    );
    return { user, events };
  }

  async unpark(userId: string, positions: readonly number[]): Promise<void> {
    await this.query(
      `DELETE FROM unionlink_parked_event WHERE user_id = $1
       AND position IN (SELECT value::bigint FROM jsonb_array_elements_text($2::jsonb))`,
      [userId, JSON.stringify(positions)],
    );
    await this.query(`UPDATE unionlink_parked_user SET attempts = 0, due_at = clock_timestamp() WHERE user_id = $1`, [
      userId,
    ]);
    await this.query(
      `DELETE FROM unionlink_parked_user u WHERE user_id = $1
       AND NOT EXISTS (SELECT FROM unionlink_parked_event e WHERE e.user_id = u.user_id)`,
      [userId],
    );
  }

  async postpone(userId: string, waitMs: number, error: string): Promise<void> {
    await this.query(
      `UPDATE unionlink_parked_user SET attempts = attempts + 1, last_error = $3,
         due_at = clock_timestamp() + $2::int * interval '1 ms' WHERE user_id = $1`,
      [userId, waitMs, error],
    );
  }

  async parkedCount(): Promise<number> {
    const rows = await this.query<{ n: number }>('SELECT count(*)::int AS n FROM unionlink_parked_user', []);
    return rows[0]?.n ?? 0;
  }

  async await(answers: readonly Answer[]): Promise<void> {
    if (answers.length === 0) return;
    await this.query(
      `INSERT INTO unionlink_answer (kind, id, user_id, at)
       SELECT kind, id, "userId", at FROM jsonb_to_recordset($1::jsonb)
         AS r(kind text, id text, "userId" text, at text) ORDER BY kind, id
       ON CONFLICT (kind, id) DO NOTHING`,
      [JSON.stringify(answers)],
    );
  }

  async answersDue(limit: number): Promise<readonly Answer[]> {
    return this.query<Answer>(
      `SELECT a.kind, a.id, a.user_id AS "userId", a.at FROM unionlink_answer a JOIN unionlink_user u USING (user_id)
       WHERE a.sent_at IS NULL AND u.at >= a.at ORDER BY a.at, a.id LIMIT $1::int`,
      [limit],
    );
  }

  async answered({ kind, id }: Answer): Promise<void> {
    await this.query(`UPDATE unionlink_answer SET sent_at = clock_timestamp() WHERE kind = $1 AND id = $2`, [kind, id]);
  }

  async cursor(name: string): Promise<string | null> {
    await this.query('INSERT INTO unionlink_cursor (name) VALUES ($1) ON CONFLICT (name) DO NOTHING', [name]);
    const sql = 'SELECT value FROM unionlink_cursor WHERE name = $1 FOR UPDATE';
    return (await this.query<{ value: string | null }>(sql, [name]))[0]?.value ?? null;
  }

  async setCursor(name: string, value: string): Promise<void> {
    await this.query('UPDATE unionlink_cursor SET value = $2 WHERE name = $1', [name, value]);
  }
}
