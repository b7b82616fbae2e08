import { Injectable } from '@nestjs/common';
import type { OpenImport, StoredLine, Transaction } from '#store';
import {
  Database,
  finishImport,
  holdDuty,
  isContention,
  isUnavailable,
  leaveDuty,
  readNextUnits,
  readOpenImports,
  recordImportProgress,
  sweepImports,
  takeImportLines,
} from '#store';
import { WechatError } from '#wechat';
import { v7 } from 'uuid';
import { Changes } from '../change/changes.js';
import { FollowerPortions, followersPerPortion } from './follower-portions.js';
import { IdentityPortions } from './identity-portions.js';
import { OpenIdPortions } from './open-id-portions.js';
import type { LineResult, Portion, PortionMaker } from './portion.js';
import { RekeyPortions } from './re-key-portions.js';

const duty = 'imports';
/** Far longer than a portion takes, and short enough that the work of a killed process is not missed for long. */
const leaseSeconds = 5;
const jobsAtOnce = 20;
/** For so long `GET /v1/imports/{id}` shows a job that ended. */
const keptDays = 30;
/** A transaction of some hundred lines takes some ten milliseconds; logins of the same people wait no longer than that. */
const linesPerPortion = 200;
/** After so long the others who share this process's background get their turn. */
const sliceMs = 1_000;

/** Somebody else applied these lines meanwhile: roll back and look again. */
class Overtaken extends Error {
  override readonly name = 'Overtaken';
}

/**
 * Works off imports in portions. A portion's lines leave the job in the transaction of their effect, so a kill in between
 * repeats nothing and loses nothing. The duty only keeps replicas from doing the same work for nothing.
 */
@Injectable()
export class ImportWorker {
  private readonly owner = v7();
  private readonly makers: Readonly<Record<OpenImport['kind'], PortionMaker>>;

  constructor(
    private readonly database: Database,
    private readonly changes: Changes,
    identities: IdentityPortions,
    unionIds: RekeyPortions,
    openIds: OpenIdPortions,
    private readonly followers: FollowerPortions,
  ) {
    this.makers = { identities, union_ids: unionIds, open_ids: openIds, followers };
  }

  /** Answers how many lines were handled; 0 also where another replica does it. */
  async run(): Promise<number> {
    const until = Date.now() + sliceMs;
    let handled = 0;
    for (;;) {
      const jobs = await readOpenImports(this.database, jobsAtOnce);
      if (jobs.length === 0 || !(await holdDuty(this.database, duty, this.owner, leaseSeconds))) return handled;
      const now = await this.round(jobs.filter((job) => !isBehind(job, jobs)));
      handled += now;
      if (now === 0 || Date.now() > until) return handled;
    }
  }

  /** One portion of each, so that a small import need not wait for a big one, and none for one that fails. */
  private async round(jobs: readonly OpenImport[]): Promise<number> {
    let handled = 0;
    const faults: unknown[] = [];
    for (const job of jobs)
      try {
        handled += await this.advance(job);
      } catch (error) {
        faults.push(error);
      }
    if (faults.length > 0) throw faults[0];
    return handled;
  }

  sweep(): Promise<number> {
    return sweepImports(this.database, keptDays);
  }

  async stop(): Promise<void> {
    await leaveDuty(this.database, duty, this.owner);
  }

  private async advance(job: OpenImport): Promise<number> {
    if (this.followers.isPaused(job)) return 0;
    try {
      if (!job.listed) return await this.followers.list(job);
      return await this.nextPortion(job);
    } catch (error) {
      if (error instanceof WechatError) await this.followers.refused(job, error);
      else if (!(error instanceof Overtaken)) throw error;
      return 0;
    }
  }

  private async nextPortion(job: OpenImport): Promise<number> {
    const linesMax = job.kind === 'followers' ? followersPerPortion : linesPerPortion;
    const lines = await readNextUnits(this.database, job.id, job.next_unit, linesMax);
    if (lines.length === 0) await finishImport(this.database, job.id);
    else await this.apply(job, lines);
    return lines.length;
  }

  /** A line that only fails must not keep the others from going on: it is found by halving. */
  private async apply(job: OpenImport, lines: readonly StoredLine[]): Promise<void> {
    try {
      await this.commit(job, lines, await this.portionOf(job, lines));
    } catch (error) {
      if (error instanceof Overtaken || error instanceof WechatError) throw error;
      if (isUnavailable(error) || isContention(error)) throw error;
      const middle = unitBoundary(lines);
      if (middle === null) {
        await this.commit(job, lines, refused(lines, error instanceof Error ? error.name : 'unknown'));
        return;
      }
      await this.apply(job, lines.slice(0, middle));
      await this.apply({ ...job, next_unit: endOf(lines.slice(0, middle)) }, lines.slice(middle));
    }
  }

  private async portionOf(job: OpenImport, lines: readonly StoredLine[]): Promise<Portion> {
    const there = lines.filter(({ content }) => content !== null);
    const portion = there.length === 0 ? nothing : await this.makers[job.kind].make(job, there);
    return {
      wanted: portion.wanted,
      decide: async (world, transaction) => {
        const results = [...(await portion.decide(world, transaction))];
        return lines.map(({ content }) => (content === null ? emptied : (results.shift() ?? emptied)));
      },
    };
  }

  private async commit(job: OpenImport, lines: readonly StoredLine[], portion: Portion): Promise<void> {
    const range = { jobId: job.id, fromUnit: job.next_unit, toUnit: endOf(lines) };
    const take = async (transaction: Transaction): Promise<void> => {
      if (!(await takeImportLines(transaction, range, lines))) throw new Overtaken();
    };
    const record = (transaction: Transaction, results: readonly LineResult[]): Promise<void> =>
      recordImportProgress(transaction, { ...range, done: lines.length, ...summary(lines, results) });
    if (job.dry_run) {
      const results = await this.changes.rehearse(portion.wanted, (world) => portion.decide(world, null));
      await this.database.transaction(async (transaction) => {
        await take(transaction);
        await record(transaction, results);
      });
      return;
    }
    await this.changes.run(portion.wanted, async (world, transaction) => {
      await take(transaction);
      await record(transaction, await portion.decide(world, transaction));
    });
  }
}

const nothing: Portion = { wanted: {}, decide: () => [] };
const emptied: LineResult = {
  code: 'observation_stale',
  message: 'whom the line names was erased since it was handed in: nothing was stored',
};

/** Tables of one kind build on each other: the next begins when the one before has ended. */
function isBehind(job: OpenImport, jobs: readonly OpenImport[]): boolean {
  if (job.kind !== 'union_ids' && job.kind !== 'open_ids') return false;
  return jobs.find(({ kind, entity_id }) => kind === job.kind && entity_id === job.entity_id) !== job;
}

function endOf(lines: readonly StoredLine[]): number {
  return (lines.at(-1)?.unit ?? 0) + 1;
}

/** Where a portion can be cut in two without cutting a unit; null: it is one unit. */
function unitBoundary(lines: readonly StoredLine[]): number | null {
  const isCut = (at: number): boolean => lines[at - 1]?.unit !== lines[at]?.unit;
  const cuts = lines.map((_, at) => at).filter((at) => at > 0 && isCut(at));
  return cuts[Math.floor(cuts.length / 2)] ?? null;
}

function refused(lines: readonly StoredLine[], fault: string): Portion {
  const result = { code: 'internal', message: `an unexpected fault (${fault})` };
  return { wanted: {}, decide: () => lines.map(() => result) };
}

function summary(
  lines: readonly StoredLine[],
  results: readonly LineResult[],
): Pick<Parameters<typeof recordImportProgress>[1], 'errors' | 'outcomes'> {
  const outcomes: Record<string, number> = {};
  const errors = results.flatMap((result, index) => {
    if ('code' in result) return [{ line: lines[index]?.line ?? 0, code: result.code, message: result.message }];
    outcomes[result.outcome] = (outcomes[result.outcome] ?? 0) + 1;
    return [];
  });
  return { errors, outcomes };
}
