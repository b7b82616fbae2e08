import { randomUUID } from 'node:crypto';
import { Client } from 'pg';

/** Writes people and their journal the way apply_changes does: the user's row is locked, then stepped, then told of. */

export interface Step {
  readonly userId: string;
  readonly version: number;
  readonly eventId: string;
}

export async function connect(url: string): Promise<Client> {
  const client = new Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

/** As libs/identity does it; any fixed function of the key would do. */
export const shardOf = (userId: string): number => Number.parseInt(userId.slice(-1), 16);

export async function createUsers(client: Client, count: number): Promise<string[]> {
  const ids = Array.from({ length: count }, () => randomUUID());
  await client.query(
    `INSERT INTO users (id, entity_id, status, version, created_at) SELECT id, 'acme', 'live', 1, clock_timestamp()
     FROM unnest($1::uuid[]) id`,
    [ids],
  );
  for (const userId of ids) await tell(client, { userId, version: 1, eventId: randomUUID() });
  return ids;
}

/** Takes the user's row; answers its version. */
export async function lock(client: Client, userId: string): Promise<number> {
  const { rows } = await client.query<{ version: string }>(
    'SELECT version FROM users WHERE id = $1 FOR NO KEY UPDATE',
    [userId],
  );
  return Number(rows[0]?.version);
}

/** One step of a user whose row is locked at `version`; draws the journal id. */
export async function step(client: Client, userId: string, version: number): Promise<Step> {
  await client.query('UPDATE users SET version = $2 WHERE id = $1', [userId, version + 1]);
  const made = { userId, version: version + 1, eventId: randomUUID() };
  await tell(client, made);
  return made;
}

/** Lock, step and commit. */
export async function change(client: Client, userId: string): Promise<Step> {
  await client.query('BEGIN');
  const made = await step(client, userId, await lock(client, userId));
  await client.query('COMMIT');
  return made;
}

export async function notice(client: Client, userId: string): Promise<string> {
  const eventId = randomUUID();
  const data = { userId, occurredAt: new Date().toISOString(), cause: 'push' };
  const traceparent = `00-${eventId.replaceAll('-', '')}-00f067aa0ba902b7-01`;
  await insert(client, { userId, version: null, eventId, type: 'identity.ProfileCleared.v1', traceparent, data });
  return eventId;
}

async function tell(client: Client, { userId, version, eventId }: Step): Promise<void> {
  const user = {
    id: userId,
    entityId: 'acme',
    status: 'live',
    version,
    mergedInto: null,
    identities: [],
    unionIds: [],
  };
  const data = { userId, version, occurredAt: new Date().toISOString(), cause: 'login', created: version === 1, user };
  await insert(client, { userId, version, eventId, type: 'identity.UserLinked.v1', traceparent: null, data });
}

async function insert(
  client: Client,
  row: {
    userId: string;
    version: number | null;
    eventId: string;
    type: string;
    traceparent: string | null;
    data: object;
  },
): Promise<void> {
  await client.query(
    `INSERT INTO journal (recorded_at, entity_id, shard, user_id, version, key, type, event_id, cause, request_id, traceparent, actor, data)
     VALUES (clock_timestamp(), 'acme', $1, $2::uuid, $3, $2::text, $4, $5, 'login', 'request-1', $6, 'service', $7)`,
    [shardOf(row.userId), row.userId, row.version, row.type, row.eventId, row.traceparent, row.data],
  );
}
