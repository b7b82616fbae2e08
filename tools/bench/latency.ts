import { randomBytes, randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { type Consumer, Kafka, logLevel, Partitioners, type Producer } from 'kafkajs';
import { applyChanges, Database } from '../../libs/store/src/index.js';
import { until } from '../until.js';
import { holdSnapshot } from './relay.js';

/**
 * From the commit of a change to a consumer that has it, beside what Kafka itself takes from a send to a consumer. A relay
 * must serve this database, which is the benchmark's own, under this prefix.
 */
export interface LatencyBenchOptions {
  readonly databaseUrl: string;
  readonly brokers: string;
  readonly prefix: string;
}

export interface Latency {
  readonly p50Ms: number;
  readonly p99Ms: number;
}

export interface LatencyBenchResult {
  /** Send to consumer, past the relay; in turns with `idle`. */
  readonly raw: Latency;
  readonly idle: Latency;
  readonly loaded: Latency & { readonly changesPerSecond: number };
  /** The same load while a snapshot is held open from before it began. */
  readonly loadedUnderSnapshot: Latency & { readonly changesPerSecond: number };
}

const pairs = 50;
const loadSeconds = 20;
const warmSeconds = 10;
const changesPerSecond = 1_000;
const tickMs = 10;
const users = 5_000;

export async function benchLatency(options: LatencyBenchOptions): Promise<LatencyBenchResult> {
  const kafka = new Kafka({ clientId: 'bench', brokers: options.brokers.split(','), logLevel: logLevel.NOTHING });
  const database = new Database({ url: options.databaseUrl, poolMax: 20, applicationName: 'bench' });
  const people = new People(database);
  const arrivals = new Arrivals(kafka, options.prefix);
  const producer = kafka.producer({ idempotent: true, createPartitioner: Partitioners.DefaultPartitioner });
  await producer.connect();
  try {
    await people.make(users);
    await arrivals.follow();
    const { raw, idle } = await inTurns(people, arrivals, producer, options.prefix);
    await underLoad(people, arrivals, warmSeconds);
    const loaded = await underLoad(people, arrivals);
    const holder = await holdSnapshot(options.databaseUrl);
    const loadedUnderSnapshot = await underLoad(people, arrivals);
    await holder.end();
    return { raw, idle, loaded, loadedUnderSnapshot };
  } finally {
    await producer.disconnect();
    await arrivals.end();
    await database.close();
  }
}

/** Rests in between are longer than any close look of the relay: every change meets it idle. */
async function inTurns(people: People, arrivals: Arrivals, producer: Producer, prefix: string) {
  const [raw, idle]: [number[], number[]] = [[], []];
  // The first few warm it up.
  for (let turn = -10; turn < pairs; turn += 1) {
    await delay(1_100 + Math.random() * 200);
    const id = randomUUID();
    const value = 'x'.repeat(500);
    const sentAt = performance.now();
    await producer.send({
      topic: `${prefix}identity.notices.v1`,
      messages: [{ key: id, value, headers: { ce_id: id } }],
    });
    const rawMs = (await arrivals.of(id)) - sentAt;
    await delay(Math.random() * 200);
    const [changed] = await people.change(1);
    const idleMs = (await arrivals.of(changed?.eventId ?? '')) - (changed?.at ?? 0);
    if (turn >= 0) {
      raw.push(rawMs);
      idle.push(idleMs);
    }
  }
  return { raw: latencyOf(raw), idle: latencyOf(idle) };
}

/** What is due at a moment is changed in one transaction, as the resolver gathers what comes together. */
async function underLoad(people: People, arrivals: Arrivals, seconds = loadSeconds) {
  const transactions: Promise<Changed[]>[] = [];
  const began = performance.now();
  const total = seconds * changesPerSecond;
  for (let begun = 0; begun < total; await delay(tickMs)) {
    const due = Math.min(total, Math.floor(((performance.now() - began) / 1000) * changesPerSecond));
    if (due > begun) transactions.push(people.change(due - begun));
    begun = due;
  }
  const done = (await Promise.all(transactions)).flat();
  const lasted = (performance.now() - began) / 1000;
  const latencies: number[] = [];
  for (const { eventId, at } of done) latencies.push((await arrivals.of(eventId)) - at);
  return { ...latencyOf(latencies), changesPerSecond: total / lasted };
}

function latencyOf(latencies: number[]): Latency {
  latencies.sort((a, b) => a - b);
  const at = (share: number): number => latencies[Math.floor(latencies.length * share)] ?? NaN;
  return { p50Ms: at(0.5), p99Ms: at(0.99) };
}

interface Changed {
  readonly eventId: string;
  /** When its commit was known here. */
  readonly at: number;
}

/** Users that step by step get older, one transaction each, through the statement that every change goes through. */
class People {
  private readonly ids: string[] = [];
  private readonly versions: number[] = [];
  private next = 0;

  constructor(private readonly database: Database) {}

  async make(count: number): Promise<void> {
    for (let made = 0; made < count; made += 1) {
      this.ids.push(randomUUID());
      this.versions.push(0);
    }
    for (let start = 0; start < count; start += 500)
      await this.step(Array.from({ length: Math.min(500, count - start) }, (_, index) => start + index));
  }

  /** Of the next users in turn: nobody waits for a lock. */
  async change(count: number): Promise<Changed[]> {
    const indexes = Array.from({ length: count }, (_, index) => (this.next + index) % this.ids.length);
    this.next = (this.next + count) % this.ids.length;
    const eventIds = await this.step(indexes);
    const at = performance.now();
    return eventIds.map((eventId) => ({ eventId, at }));
  }

  private async step(indexes: readonly number[]): Promise<string[]> {
    const now = new Date().toISOString();
    const rows = indexes.map((index, n) => {
      const id = this.ids[index] ?? '';
      const version = (this.versions[index] ?? 0) + 1;
      this.versions[index] = version;
      const user = { id, entityId: 'bench', status: 'live', version, createdAt: now, mergedInto: null };
      const data = { userId: id, version, occurredAt: now, cause: 'login', user, padding: 'x'.repeat(200) };
      const journal = { n, recordedAt: now, entityId: 'bench', shard: Number.parseInt(id.slice(-1), 16), userId: id };
      const told = { key: id, type: 'identity.UserKeyed.v1', eventId: randomUUID(), cause: 'login', actor: 'service' };
      return { user, journal: { ...journal, ...told, version, data } };
    });
    await this.database.transaction((transaction) =>
      applyChanges(transaction, {
        users: rows.map(({ user }) => user),
        journal: rows.map(({ journal }) => journal),
      }),
    );
    return rows.map(({ journal }) => journal.eventId);
  }
}

/** When which event came, by the clock of this process. */
class Arrivals {
  private readonly seen = new Map<string, number>();
  private readonly waiting = new Map<string, (at: number) => void>();
  private readonly consumer: Consumer;

  constructor(
    kafka: Kafka,
    private readonly prefix: string,
  ) {
    this.consumer = kafka.consumer({ groupId: `bench-${randomBytes(4).toString('hex')}`, maxWaitTimeInMs: 500 });
  }

  async follow(): Promise<void> {
    await this.consumer.connect();
    const topics = [`${this.prefix}identity.user-events.v1`, `${this.prefix}identity.notices.v1`];
    await this.consumer.subscribe({ topics, fromBeginning: true });
    let isJoined = false;
    this.consumer.on(this.consumer.events.GROUP_JOIN, () => (isJoined = true));
    await this.consumer.run({
      autoCommit: false,
      eachBatch: ({ batch }) => {
        const at = performance.now();
        for (const { headers } of batch.messages) this.take(String(headers?.ce_id), at);
        return Promise.resolve();
      },
    });
    await until(() => isJoined && this.seen.size >= users, { timeoutMs: 120_000, what: 'the first events to arrive' });
  }

  of(id: string): Promise<number> {
    const at = this.seen.get(id);
    return at === undefined ? new Promise((resolve) => this.waiting.set(id, resolve)) : Promise.resolve(at);
  }

  end(): Promise<void> {
    return this.consumer.disconnect();
  }

  private take(id: string, at: number): void {
    if (this.seen.has(id)) return;
    this.seen.set(id, at);
    this.waiting.get(id)?.(at);
    this.waiting.delete(id);
  }
}
