import { Pool, type PoolClient } from 'pg';
import { History, IdentityFollower, kafka, pgStore } from '#consumer';
import { toHeaders, topicName, topics } from '#events';
import { brokers, createTopics, patience, send } from './consumer-scene.js';
import { type Database, emptyDatabase } from './harness/database.js';
import { freshTopicPrefix, undoTransaction } from './harness/kafka.js';
import { type KafkaProxy, startKafkaProxy } from './harness/kafka-proxy.js';
import { until } from './harness/until.js';

/** Neighbours of scenario 32: what may keep a new service from ever being done with the states topic. */
describe('The boot of a service', () => {
  let database: Database;
  let pool: Pool;
  let proxy: KafkaProxy;
  let topicPrefix: string;
  let states: string;
  let follower: IdentityFollower<PoolClient>;

  beforeEach(async () => {
    topicPrefix = freshTopicPrefix();
    states = topicName(topicPrefix, topics.userStates);
    [database, proxy] = await Promise.all([emptyDatabase(), startKafkaProxy(brokers[0] ?? '')]);
    await createTopics(topicPrefix);
    await untilWritten();
    pool = new Pool({ connectionString: database.url, max: 5 });
    const source = kafka({ brokers: [proxy.brokers], groupId: 'boot', topicPrefix });
    follower = new IdentityFollower({ source, store: pgStore<PoolClient>(pool), handlers: {} });
  });
  afterEach(async () => {
    await follower.stop();
    await pool.end();
    await Promise.all([database.drop(), proxy.close()]);
  });

  const untilWritten = async (): Promise<void> => {
    const { events } = new History().create('anna', { appId: 'a1', openId: 'o1' });
    await send(
      states,
      events.map((event) => ({ key: event.key, value: JSON.stringify(event.data), headers: toHeaders(event) })),
    );
  };

  const isBooted = async (): Promise<boolean> => (await follower.health()).isReady;
  const known = (): Promise<unknown[]> => database.query('SELECT user_id FROM unionlink_user');

  it('comes to its end although Kafka was lost as the last place was noted', async () => {
    const lost = proxy.next('offsetCommit', 'refuse');
    await follower.start();
    await lost.done;
    await until(isBooted, { ...patience, what: 'the boot' });
    expect(await known()).toEqual([{ user_id: 'anna' }]);
  }, 120_000);

  it('comes to its end where a transaction was undone behind the last record, as mirrors write them', async () => {
    await undoTransaction(states, [0, 1, 2]);
    const lost = proxy.next('offsetCommit', 'refuse', 5);
    await follower.start();
    await lost.done;
    await until(isBooted, { ...patience, what: 'the boot' });
    expect(await known()).toEqual([{ user_id: 'anna' }]);
  }, 120_000);
});
