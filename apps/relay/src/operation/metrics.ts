import { Injectable } from '@nestjs/common';
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { RelayLag } from '#store';
import { Database, isUnavailable, readRelayLag } from '#store';
import type { OutRecord } from '../kafka/sink.js';

/** What /metrics shows of this process. */
@Injectable()
export class RelayMetrics {
  readonly registry = new Registry();
  readonly sendFailures: Counter;
  readonly leases: Gauge;
  readonly statesToldAgain: Counter;
  private readonly publishedTotal: Counter<'topic'>;
  private readonly takenTotal: Counter<'topic' | 'result'>;
  private readonly batchEvents: Histogram;
  private readonly lagEvents: Gauge;
  private readonly oldestSeconds: Gauge;

  constructor(private readonly database: Database) {
    const registers = [this.registry];
    collectDefaultMetrics({ register: this.registry });
    this.publishedTotal = new Counter({
      name: 'unionlink_relay_published_total',
      help: 'Records that Kafka acknowledged, by topic',
      labelNames: ['topic'],
      registers,
    });
    this.takenTotal = new Counter({
      name: 'unionlink_relay_inbound_total',
      help: 'Records of the inbound topics, by whether they had their effect or became dead letters',
      labelNames: ['topic', 'result'],
      registers,
    });
    this.sendFailures = new Counter({
      name: 'unionlink_relay_failures_total',
      help: 'Batches that failed and came again',
      registers,
    });
    this.statesToldAgain = new Counter({
      name: 'unionlink_relay_states_told_again_total',
      help: 'Users whose last record on the states topic was wrong when it was swept',
      registers,
    });
    this.leases = new Gauge({ name: 'unionlink_relay_leases', help: 'Shards of the journal held, of 16', registers });
    this.batchEvents = new Histogram({
      name: 'unionlink_relay_batch_events',
      help: 'Events in one send',
      buckets: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000],
      registers,
    });
    this.lagEvents = new Gauge({
      name: 'unionlink_journal_lag_events',
      help: 'Journal rows not yet published, of all shards; counted up to 200000',
      registers,
    });
    this.oldestSeconds = new Gauge({
      name: 'unionlink_journal_oldest_unpublished_seconds',
      help: 'How long the oldest unpublished journal row has waited',
      registers,
    });
  }

  published(records: readonly OutRecord[], events: number): void {
    const counts = new Map<string, number>();
    for (const { topic } of records) counts.set(topic, (counts.get(topic) ?? 0) + 1);
    for (const [topic, count] of counts) this.publishedTotal.inc({ topic }, count);
    this.batchEvents.observe(events);
  }

  taken(topic: string, applied: number, deadLetters: number): void {
    this.takenTotal.inc({ topic, result: 'applied' }, applied);
    this.takenTotal.inc({ topic, result: 'dead_letter' }, deadLetters);
  }

  /** While the database is away the two gauges of the journal say so, rather than what was true before. */
  async text(): Promise<string> {
    const lag = await readRelayLag(this.database).catch((error: unknown): RelayLag => {
      if (!isUnavailable(error)) throw error;
      return { events: NaN, oldestSeconds: NaN };
    });
    this.lagEvents.set(lag.events);
    this.oldestSeconds.set(lag.oldestSeconds);
    return this.registry.metrics();
  }
}
