import { setTimeout as delay } from 'node:timers/promises';
import type { Client } from 'pg';

/** The rows of many users, locked in id order, stepped and told of in one statement each: as apply_changes does it. */
const stepAll = `
  WITH stepped AS (
    UPDATE users SET version = version + 1 WHERE id = ANY ($1::uuid[]) RETURNING id, version
  )
  INSERT INTO journal (recorded_at, entity_id, shard, user_id, version, key, type, event_id, cause, actor, data)
  SELECT clock_timestamp(), 'acme', ('x' || right(id::text, 1))::bit(4)::int, id, version, id::text,
    'identity.UserLinked.v1', gen_random_uuid(), 'login', 'service',
    json_build_object('userId', id, 'version', version, 'occurredAt', '2026-11-23T08:00:00.000Z', 'cause', 'login',
      'user', json_build_object('id', id, 'entityId', 'acme', 'status', 'live', 'version', version))
  FROM stepped`;

export interface CrowdOptions {
  readonly random: () => number;
  readonly users: readonly string[];
  /** Of one transaction, at most. */
  readonly usersMax: number;
  /** Asked before each transaction. */
  readonly isEnough: () => boolean;
  readonly onCommit: (events: number) => void;
}

/** Transactions of many users that take their number early, stand still anywhere, and roll back every tenth time. */
export async function writeCrowd(client: Client, options: CrowdOptions): Promise<void> {
  const { random, users, usersMax } = options;
  const pause = async (): Promise<void> => {
    const dice = random();
    if (dice < 0.02) await delay(200 + random() * 300);
    else if (dice < 0.3) await delay(random() * 15);
  };
  while (!options.isEnough()) {
    const start = Math.floor(random() * users.length);
    const count = 1 + Math.floor(random() * usersMax);
    const chosen = Array.from({ length: count }, (_, index) => users[(start + index) % users.length] ?? '');
    await client.query('BEGIN');
    if (random() < 0.3) await client.query('SELECT pg_current_xact_id()');
    await pause();
    await client.query('SELECT FROM users WHERE id = ANY ($1::uuid[]) ORDER BY id FOR NO KEY UPDATE', [chosen]);
    await pause();
    const { rowCount } = await client.query(stepAll, [chosen]);
    await pause();
    const isTaken = random() > 0.1;
    await client.query(isTaken ? 'COMMIT' : 'ROLLBACK');
    if (isTaken) options.onCommit(rowCount ?? 0);
  }
}
