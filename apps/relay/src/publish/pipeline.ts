import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Database, JournalRow, Portion, Snapshot } from '#store';
import { Alarm, readPortion, readStates, shardCount } from '#store';
import type { Tracer } from '#tracing';
import type { KafkaSink, OutRecord } from '../kafka/sink.js';
import type { RelayMetrics } from '../operation/metrics.js';
import type { HeldShard, Leases } from './leases.js';
import { Places } from './places.js';
import { startPublishSpans } from './publish-spans.js';
import type { RecordMaker } from './records.js';
import { cutIntoSends } from './records.js';
import { StateRepair } from './state-repair.js';

export interface PipelineParts {
  readonly database: Database;
  readonly leases: Leases;
  readonly sink: KafkaSink;
  readonly records: RecordMaker;
  readonly metrics: RelayMetrics;
  readonly logger: Logger;
  /** Null: tracing is off. */
  readonly tracer: Tracer | null;
  /** The journal is followed all the same: a state follows each change. */
  readonly onlyStates: boolean;
  /** Which shards this pipeline serves. */
  readonly isOurs: (shard: number) => boolean;
}

/** Events of one read and so, mostly, of one send: more is no faster (docs/measurements.md). */
export const batchMax = 1000;
const batchMin = 10;
/** Rows of unusual size are read fewer at a time. */
const batchBytesMax = 8 * 1024 * 1024;
/** A send begun later could still be on its way when the lease is somebody else's. */
const deadlineMarginMs = 5_000;
const backoffMinMs = 100;
const backoffMaxMs = 5_000;
/** After the last event one more often follows: look closely for a while, then save the database the asking. */
const closeLookMs = 1_000;
const closePollMs = 20;
const idlePollMs = 100;
/**
 * Where a round publishes so many, changes come without pause, and rounds begin so far apart: what comes in between goes
 * together, and costs PostgreSQL, Kafka and us one round. What comes now and then goes at once.
 */
const crowd = 8;
const spacingMs = 30;

/** One row, what it becomes in Kafka, and the place behind it. */
interface Step {
  readonly row: JournalRow;
  readonly records: readonly OutRecord[];
}

/** The lease may end before a send would: not sent. */
class LeaseTooShort extends Error {
  override readonly name = 'LeaseTooShort';
}

/** Follows the journal for its shards and publishes it, one send at a time, saving each place after it was acknowledged. */
export class Pipeline {
  readonly repair: StateRepair;
  /** To be rung when there may be something to publish. */
  readonly alarm = new Alarm();
  private batchLimit = batchMax;
  private lastEventAt = 0;
  /** Events published since this round began. */
  private inRound = 0;
  private readonly places: Places;

  constructor(private readonly parts: PipelineParts) {
    this.repair = new StateRepair(parts);
    this.places = new Places(parts.leases, parts.isOurs);
  }

  /** Until `signal` fires; the batch in hand is finished. */
  async run(signal: AbortSignal): Promise<void> {
    let backoffMs = backoffMinMs;
    while (!signal.aborted) {
      try {
        const began = performance.now();
        this.inRound = 0;
        const isMore = await this.round(signal);
        backoffMs = backoffMinMs;
        if (isMore) continue;
        if (this.inRound >= crowd) await pause(began + spacingMs - performance.now(), signal);
        await this.alarm.rest(this.pollMs(), signal);
      } catch (error) {
        this.parts.metrics.sendFailures.inc();
        this.parts.logger.warn({ reason: String(error), backoffMs }, 'batch failed; it will come again');
        await pause(backoffMs, signal);
        backoffMs = Math.min(backoffMaxMs, backoffMs * 2);
        await this.reload(signal);
      }
    }
    await this.places.save().catch((error: unknown) => {
      this.parts.logger.warn({ err: error }, 'the last places are not saved');
    });
  }

  /** What is in memory may be ahead of what happened. Until it has been read anew nothing may be published. */
  private async reload(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        return await this.places.reload();
      } catch (error) {
        this.parts.logger.warn({ err: error }, 'the places of the shards cannot be read');
        await pause(backoffMaxMs / 5, signal);
      }
    }
  }

  private pollMs(): number {
    return performance.now() - this.lastEventAt < closeLookMs ? closePollMs : idlePollMs;
  }

  /** One portion for each group of shards that stand at the same place. True: there is more at once. */
  private async round(signal: AbortSignal): Promise<boolean> {
    const { leases, isOurs } = this.parts;
    await this.places.giveUpSurplus();
    await this.repair.runDue((shards) => this.surelyHeld(shards));
    await this.repair.runRequested(() => this.surelyHeld(leases.shards(isOurs).map(({ shard }) => shard)));
    let isMore = false;
    let upto: Snapshot | undefined;
    for (const group of this.places.groups()) {
      if (signal.aborted) return false;
      const portion = await this.read(group, upto);
      if (portion === null) return true;
      // The later groups stop at what the first one saw: after this round they are one group.
      upto ??= portion.upto;
      await this.publish(group, portion);
      isMore ||= !portion.isEnd;
    }
    return isMore;
  }

  /** Null: the server has lost its memory since the place was read; it was read anew. */
  private async read(group: readonly HeldShard[], upto: Snapshot | undefined): Promise<Portion | null> {
    const { database, leases } = this.parts;
    const [first] = group;
    if (first === undefined) return null;
    const { cursor } = first;
    const filter = group.length === shardCount ? null : { shards: group.map(({ shard }) => shard) };
    const portion = await readPortion(database, { cursor, filter, limit: this.batchLimit, upto });
    if (cursor.incarnation === 0 || cursor.incarnation === portion.next.incarnation) return portion;
    this.parts.logger.warn('PostgreSQL was restarted; going on from the stored places');
    await leases.reload(group);
    return null;
  }

  private async publish(group: readonly HeldShard[], { rows, ...portion }: Portion): Promise<void> {
    const { incarnation } = portion.next;
    const { seen } = group[0]?.cursor ?? portion.next;
    const sends = cutIntoSends(await this.stepsOf(rows, portion.epoch), (record) => this.partitionName(record));
    const last = sends.pop() ?? [];
    for (const steps of sends) {
      await this.send(group, steps);
      const cursor = { seen, upto: portion.upto, after: steps.at(-1)?.row.id ?? 0, incarnation };
      if (!(await this.places.move(group, { cursor, events: steps.length }))) return;
    }
    if (last.length > 0) await this.send(group, last);
    await this.places.move(group, { cursor: portion.next, events: last.length });
  }

  /** The state of a user goes behind its last event of the batch. */
  private async stepsOf(rows: readonly JournalRow[], epoch: number): Promise<Step[]> {
    const { database, records, onlyStates } = this.parts;
    if (rows.length === 0) return [];
    const bytes = rows.reduce((sum, { data }) => sum + data.length, 0);
    this.batchLimit = Math.round(Math.min(batchMax, Math.max(batchMin, batchBytesMax / (bytes / rows.length))));
    const lastOf = new Map<string, number>();
    for (const { userId, version, id } of rows) if (userId !== null && version !== null) lastOf.set(userId, id);
    const states = new Map<string, OutRecord>();
    for (const state of await readStates(database, [...lastOf.keys()], epoch)) {
      states.set(state.event.key, records.ofState(state));
    }
    return rows.map((row) => {
      const state = row.userId !== null && lastOf.get(row.userId) === row.id ? states.get(row.userId) : undefined;
      const event = onlyStates ? [] : [records.ofRow(row, epoch)];
      return { row, records: state === undefined ? event : [...event, state] };
    });
  }

  private async send(group: readonly HeldShard[], steps: readonly Step[]): Promise<void> {
    const { sink, metrics } = this.parts;
    const records = steps.flatMap((step) => step.records);
    if (this.surelyHeld(group.map(({ shard }) => shard)).length < group.length) {
      throw new LeaseTooShort('the lease is about to end, or has ended');
    }
    if (records.length > 0) await this.traced(steps, () => sink.send(records));
    this.lastEventAt = performance.now();
    this.inRound += steps.length;
    metrics.published(records, steps.length);
  }

  private async traced(steps: readonly Step[], send: () => Promise<void>): Promise<void> {
    const { tracer } = this.parts;
    if (tracer === null) return send();
    const end = startPublishSpans(tracer, steps);
    try {
      await send();
      end(false);
    } catch (error) {
      end(true);
      throw error;
    }
  }

  private surelyHeld(shards: readonly number[]): number[] {
    const latest = performance.now() + deadlineMarginMs;
    const held = this.parts.leases.shards((shard) => shards.includes(shard));
    return held.filter(({ deadline }) => deadline > latest).map(({ shard }) => shard);
  }

  private partitionName({ topic, key }: OutRecord): string {
    return `${topic}/${this.parts.sink.partition(topic, key)}`;
  }
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal }).catch(() => undefined);
}
