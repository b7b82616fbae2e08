import type { Database } from '#store';
import { readChangedUsers, readRequestedStates, readStates, settleStates } from '#store';
import type { KafkaSink } from '../kafka/sink.js';
import { sendMaxMs } from '../kafka/sink.js';
import type { RecordMaker } from './records.js';

interface Repair {
  readonly shards: readonly number[];
  readonly dueAt: number;
  readonly sinceMs: number;
  /** Id of the journal behind which to go on; 0: from the beginning of the while. */
  readonly after: number;
}

const pageRows = 500;
/** How often is looked whether somebody asked (`npm run cli -- doctor --repair`). */
const askEveryMs = 2_000;
/** More than a lease: what the former holder had read before its lease ended. */
const marginMs = 90_000;

/**
 * A relay that stood still past its lease may wake up and finish a send. Its events are recognised by their versions,
 * but on the states topic its record would be the last word about a user. So after a take-over the state of whoever
 * changed lately is told again: at once, and once more when no send of the former holder can be on its way any more.
 */
export class StateRepair {
  private repairs: Repair[] = [];
  private askedAt = 0;

  constructor(private readonly parts: { database: Database; sink: KafkaSink; records: RecordMaker }) {}

  afterTakeOver(shards: readonly number[]): void {
    const now = performance.now();
    this.repairs.push({ shards, dueAt: now, sinceMs: marginMs, after: 0 });
    this.repairs.push({ shards, dueAt: now + sendMaxMs, sinceMs: marginMs + sendMaxMs, after: 0 });
  }

  /** One page of what is due, for the shards that are still ours: for the others it is the next holder's to do. */
  async runDue(stillOurs: (shards: readonly number[]) => readonly number[]): Promise<void> {
    const due = this.repairs.find(({ dueAt }) => dueAt <= performance.now());
    if (due === undefined) return;
    const { database, sink, records } = this.parts;
    const page = await readChangedUsers(database, { ...due, limit: pageRows });
    const states = await readStates(database, page.userIds, page.epoch);
    const shards = stillOurs(due.shards);
    if (states.length > 0 && shards.length > 0) await sink.send(states.map((state) => records.ofState(state)));
    this.repairs = this.repairs.filter((repair) => repair !== due);
    if (page.after !== null && shards.length > 0) this.repairs.push({ ...due, shards, after: page.after });
  }

  /** States that somebody asked for, a page at a time; in our turn, so that no older one lands behind a newer. */
  async runRequested(held: () => readonly number[]): Promise<void> {
    if (performance.now() - this.askedAt < askEveryMs) return;
    const { database, sink, records } = this.parts;
    const shards = held();
    const { requested, epoch } = await readRequestedStates(database, shards, pageRows);
    if (requested.length < pageRows) this.askedAt = performance.now();
    if (requested.length === 0) return;
    const userIds = requested.map(({ userId }) => userId);
    const states = await readStates(database, userIds, epoch);
    // Asking took a moment; what is not surely ours any more is the next holder's to do.
    if (held().length < shards.length) return;
    if (states.length > 0) await sink.send(states.map((state) => records.ofState(state)));
    await settleStates(database, requested);
  }
}
