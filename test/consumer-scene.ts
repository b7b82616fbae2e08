import { topicName, topics } from '#events';
import { type Acme, ok, startAcme } from './harness/acme.js';
import type { Database } from './harness/database.js';
import { http, type Json } from './harness/http.js';
import { createSmallTopics, freshTopicPrefix, kafkaClient } from './harness/kafka.js';
import { type App, operatorKey, startRelay, startSibling } from './harness/processes.js';
import { services } from './harness/services.js';
import { until } from './harness/until.js';

export interface Person {
  /** As it was born. */
  readonly id: string;
  readonly appId: string;
  readonly openId: string;
}

export const patience = { timeoutMs: 60_000, intervalMs: 200 };
export const brokers = services.kafkaBrokers.split(',');

/** An API, a relay and topics of their own, and what can happen to people there. */
export class Scene {
  private next = 0;

  private constructor(
    readonly acme: Acme,
    readonly prefix: string,
    private readonly relay: App,
  ) {}

  static async open(): Promise<Scene> {
    const prefix = freshTopicPrefix();
    const [acme] = await Promise.all([startAcme(), createSmallTopics(prefix)]);
    const env = { KAFKA_TOPIC_PREFIX: prefix };
    return new Scene(acme, prefix, await startRelay({ databaseUrl: acme.database.url, env }));
  }

  async close(): Promise<void> {
    await this.relay.stop();
    await this.acme.stop();
  }

  get apiUrl(): string {
    const [api] = this.acme.apis;
    if (api === undefined) throw new Error('no API');
    return api.url;
  }

  fresh(letter: string): string {
    this.next += 1;
    return `${letter}${this.next}-${'xyz'.repeat(3)}`;
  }

  async born(appId = 'a1'): Promise<Person> {
    const openId = this.fresh('o');
    return { id: (await this.acme.resolved(appId, openId)).user.id, appId, openId };
  }

  async bornMany(count: number): Promise<Person[]> {
    return Promise.all(Array.from({ length: count }, (_, n) => this.born(`a${(n % 4) + 1}`)));
  }

  async merge(source: string, target: string): Promise<string> {
    const body = { targetUserId: target, sourceUserIds: [source], reason: 'spec' };
    const [result] = ok(await this.acme.operator.post('/v1/merges', body)).body.results;
    if (result.outcome !== 'merged') throw new Error(`not merged: ${JSON.stringify(result)}`);
    return result.mergeId;
  }

  async revert(mergeId: string): Promise<void> {
    ok(await this.acme.operator.post(`/v1/merges/${mergeId}/revert`, { reason: 'spec' }));
  }

  async erase(userId: string): Promise<void> {
    ok(await this.acme.operator.delete(`/v1/users/${userId}?reason=spec`));
  }

  /** People who go through everything; those of `unlinked` have nobody in the end, those of `erased` are gone. */
  async muchHappens(): Promise<{ people: Person[]; unlinked: Person; erased: Person }> {
    const [a, b, c, d, e, f, g, h] = (await this.bornMany(8)) as [Person, Person, Person, Person, ...Person[]];
    const [i, unlinked, erased] = (await this.bornMany(3)) as [Person, Person, Person];
    if (e === undefined || f === undefined || g === undefined || h === undefined) throw new Error('eight are born');
    await this.merge(a.id, b.id);
    await this.revert(await this.merge(b.id, c.id));
    await this.merge(b.id, d.id);
    await this.revert(await this.merge(e.id, f.id));
    await this.merge(f.id, g.id);
    const identities = [{ appId: f.appId, openId: f.openId }];
    ok(await this.acme.operator.post(`/v1/users/${g.id}/split`, { identities, reason: 'spec' }));
    await this.merge(unlinked.id, i.id);
    ok(await this.acme.operator.delete(`/v1/identities/${unlinked.appId}/${unlinked.openId}?reason=spec`));
    await this.merge(h.id, erased.id);
    await this.erase(erased.id);
    return { people: [a, b, c, d, e, f, g, i], unlinked, erased };
  }

  /** Whether a consumer has seen the newest state of everybody there is. Before that, what it shows may be right by chance. */
  async isCaughtUp(database: Database): Promise<boolean> {
    const seen = await database.query('SELECT user_id, version::int FROM unionlink_user');
    const version = new Map(seen.map((row) => [row['user_id'], row['version']]));
    const users = await this.acme.database.query('SELECT id::text, version::int FROM users');
    return users.every((row) => version.get(row['id']) === row['version']);
  }

  /** Whether the maps in a consumer's database say what the API says. */
  async agrees(database: Database, people: readonly Person[]): Promise<boolean> {
    const identities = people.map(({ appId, openId }) => ({ appId, openId }));
    const ids = people.map(({ id }) => id);
    const byIdentity = ok(await this.acme.operator.post('/v1/identities/lookup', { identities })).body.results;
    const byId = ok(await this.acme.operator.post('/v1/users/lookup', { ids })).body.results;
    const owners = await database.query('SELECT open_id, user_id FROM unionlink_identity');
    const users = await database.query('SELECT user_id, current_id FROM unionlink_user');
    const owner = new Map(owners.map((row) => [row['open_id'], row['user_id']]));
    const current = new Map(users.map((row) => [row['user_id'], row['current_id']]));
    return (
      byId.every(({ id, status, userId }: Json) => status === 'erased' || current.get(id) === userId) &&
      byIdentity.every(({ openId, userId }: Json) => (owner.get(openId) ?? null) === userId)
    );
  }

  // --- the sibling, a process ---

  sibling(database: Database, env: Readonly<Record<string, string>>): Promise<App> {
    const service = { IDENTITY_URL: this.apiUrl, IDENTITY_API_KEY: operatorKey, KAFKA_TOPIC_PREFIX: this.prefix };
    return startSibling({ databaseUrl: database.url, env: { ...service, ...env } });
  }

  /** What each owner should have when the nth of these earned so much. */
  async sumsOf(people: readonly Person[], points: (n: number) => number): Promise<ReadonlyMap<string, number>> {
    const sums = new Map<string, number>();
    const identities = people.map(({ appId, openId }) => ({ appId, openId }));
    const { results } = ok(await this.acme.operator.post('/v1/identities/lookup', { identities })).body;
    for (const [n, { userId }] of results.entries()) sums.set(userId, (sums.get(userId) ?? 0) + points(n));
    return sums;
  }
}

export async function earn(sibling: App, { appId, openId }: Person, points: number): Promise<void> {
  ok(await http(sibling.url).post('/points', { appId, openId, points }));
}

export async function shows(sibling: App, sums: ReadonlyMap<string, number>): Promise<boolean> {
  for (const [userId, points] of sums) {
    const { body } = ok(await http(sibling.url).get(`/points/${userId}`));
    if (body.userId !== userId || body.points !== points) return false;
  }
  return true;
}

/** All topics of the contract, empty. A leader may need its time on a busy machine. */
export async function createTopics(prefix: string): Promise<void> {
  const names = Object.values(topics).map((topic) => topicName(prefix, topic));
  const admin = kafkaClient().admin();
  await admin.connect();
  try {
    await admin.createTopics({ topics: names.map((topic) => ({ topic, numPartitions: 3, replicationFactor: 1 })) });
  } finally {
    await admin.disconnect();
  }
}

export async function send(
  topic: string,
  messages: { key: string | Buffer | null; value: string | Buffer | null; headers: Record<string, string> }[],
) {
  const producer = kafkaClient().producer();
  await producer.connect();
  try {
    await until(() => producer.send({ topic, messages }), patience);
  } finally {
    await producer.disconnect();
  }
}
