import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { Pool, type PoolClient } from 'pg';
import { type Change, IdentityFollower, kafka, pgStore } from '#consumer';

/**
 * A service that does nothing but follow: each step it is told of is a row of `done`. Whoever holds the advisory lock 1 of
 * its database lets it wait between an effect and the commit; whoever stands in `broken` is one whose handler throws.
 */
const { DATABASE_URL, KAFKA_BROKERS = '', KAFKA_TOPIC_PREFIX = '', PORT, GROUP = 'follower', WHO = '' } = process.env;

const pool = new Pool({ connectionString: DATABASE_URL, max: 5, application_name: 'follower' });
pool.on('error', () => undefined);

const onUser = async ({ userId, version }: Change, client: PoolClient): Promise<void> => {
  await client.query('INSERT INTO done (user_id, version, by_whom) VALUES ($1, $2, $3)', [userId, version, WHO]);
  await client.query('SELECT pg_advisory_xact_lock_shared(1)');
  const { rows } = await client.query('SELECT FROM broken WHERE user_id = $1', [userId]);
  if (rows.length > 0) throw new Error('the handler is broken');
};

const follower = new IdentityFollower({
  source: kafka({ brokers: KAFKA_BROKERS.split(','), groupId: GROUP, topicPrefix: KAFKA_TOPIC_PREFIX }),
  store: pgStore<PoolClient>(pool),
  handlers: { onUser },
  retry: { firstMs: 200, maxMs: 1_000 },
  log: (level, message, { error, ...fields } = {}) =>
    process.stdout.write(`${JSON.stringify({ level, message, ...fields, error: String(error) })}\n`),
});

async function probe(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const health = await follower.health();
  const isGood = request.url === '/livez' ? health.isLive : health.isReady;
  response.writeHead(isGood ? 200 : 503, { 'content-type': 'application/json' }).end(JSON.stringify(health));
}

const probes = createServer((request, response) => void probe(request, response));

/** The process ends by itself when nothing is left open. */
async function stop(): Promise<void> {
  await follower.stop();
  await pool.end();
  probes.close();
  probes.closeAllConnections();
}

process.once('SIGTERM', () => void stop());
await follower.start();
probes.listen(Number(PORT), '127.0.0.1');
