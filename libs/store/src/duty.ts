import type { Database } from './database.js';

const usualLeaseSeconds = 15;

/** True: this owner does the duty for all replicas until its lease ends; taken over when an owner is gone. */
export async function holdDuty(
  database: Database,
  name: string,
  owner: string,
  leaseSeconds = usualLeaseSeconds,
): Promise<boolean> {
  const rows = await database.query({
    name: 'hold-duty',
    text: `INSERT INTO duty (name, owner, expires_at) VALUES ($1, $2, clock_timestamp() + make_interval(secs => $3))
      ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, expires_at = excluded.expires_at
      WHERE duty.owner = excluded.owner OR duty.expires_at < clock_timestamp() RETURNING 1`,
    values: [name, owner, leaseSeconds],
  });
  return rows.length > 0;
}

export async function leaveDuty(database: Database, name: string, owner: string): Promise<void> {
  await database.query({ text: 'DELETE FROM duty WHERE name = $1 AND owner = $2', values: [name, owner] });
}
