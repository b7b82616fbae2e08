import { Injectable } from '@nestjs/common';
import type { Wanted, WarmAnswer } from '#store';
import { Database, isContention, readWarm } from '#store';
import { Fingerprints } from '../access/fingerprints.js';
import { Changes } from '../change/changes.js';
import type { Step } from '../change/effects.js';
import { Effects, outsideRequests, takeStep } from '../change/effects.js';
import { Tally } from '../change/tally.js';
import type { Origin, World } from '../change/world.js';
import { IdentitySettings } from '../settings.js';
import { Refusal } from '../problem.js';
import type { Observation } from './observation.dto.js';
import { isSettled } from './resolve.decision.js';
import type { PlacedObservation, ResolveResult } from './resolve-one.js';
import { resolveOne, unusableReason } from './resolve-one.js';
import { WaitingLine } from '../waiting-line.js';

export type ResolveAnswer = ResolveResult | Refusal;

/** Who asks. An entity's key sees only its own apps; null is the operator. */
export interface Asker extends Origin {
  readonly entityId: string | null;
}

interface Asked {
  readonly observation: Observation;
  readonly asker: Asker;
  /** Where the request has an Idempotency-Key. */
  readonly step: Step | null;
  readonly answer: (answer: ResolveAnswer) => void;
  readonly fail: (error: unknown) => void;
}

interface Placed extends Asked {
  readonly placed: PlacedObservation;
}

/** Measured on two cores: beyond 64 a transaction only gets longer, beyond 256 a read does. */
const writesPerTransactionMax = 64;
const readsPerQueryMax = 256;
/** More lanes than this only wait for each other's commits; pools are shared with everybody else. */
const writeLanes = 4;
const readLanes = 2;
/** Beyond it a process answers 503 rather than let everybody wait for longer than anyone listens. */
const waitingMax = 20_000;

/**
 * The one hall behind every door: observations that arrive together are read together, and what is already true is
 * answered from that read. Only the rest is locked, decided and written, as sets.
 */
@Injectable()
export class Resolver {
  private readonly reads: WaitingLine<Asked>;
  private readonly writes: WaitingLine<Placed>;

  constructor(
    private readonly database: Database,
    private readonly changes: Changes,
    private readonly settings: IdentitySettings,
    private readonly fingerprints: Fingerprints,
    private readonly effects: Effects,
    private readonly tally: Tally,
  ) {
    this.reads = new WaitingLine({
      lanes: readLanes,
      batchMax: readsPerQueryMax,
      keysOf: () => [],
      work: (batch) => this.read(batch),
      failed: (batch, error) => batch.forEach((asked) => asked.fail(error)),
    });
    this.writes = new WaitingLine({
      lanes: writeLanes,
      batchMax: writesPerTransactionMax,
      keysOf: ({ placed }) => keysOf(placed),
      work: (batch) => this.write(batch),
      failed: (batch, error) => batch.forEach((asked) => asked.fail(error)),
    });
  }

  /** Answers in the order asked. A refused observation is a `Refusal` in its place and spoils no other. */
  async resolve(observations: readonly Observation[], asker: Asker): Promise<ResolveAnswer[]> {
    if (this.reads.length + this.writes.length + observations.length > waitingMax)
      throw new Refusal('unavailable', 'too many observations are waiting');
    const answers = await Promise.all(
      observations.map(async (observation) => {
        const step = takeStep();
        // Done by an execution that died before it could answer: what was written down is its answer.
        if (step?.known !== null && step?.known !== undefined) return step.known.result as ResolveResult;
        return new Promise<ResolveAnswer>((answer, fail) => {
          this.reads.push({ observation, asker, step, answer, fail });
        });
      }),
    );
    for (const answer of answers) this.tally.resolved(answer instanceof Refusal ? answer.code : answer.outcome);
    return answers;
  }

  /** One observation. A refusal is thrown. */
  async resolveOne(observation: Observation, asker: Asker): Promise<ResolveResult> {
    const [answer] = await this.resolve([observation], asker);
    if (answer === undefined) throw new Error('every observation is answered');
    if (answer instanceof Refusal) throw answer;
    return answer;
  }

  /**
   * Observations that are decided and written in one transaction of the caller's, so that it can mark in it what was
   * applied. Answers as `resolve` does, refusals in their places.
   */
  async plan(observations: readonly Observation[], asker: Asker): Promise<ResolvePlan> {
    const answers = await readWarm(this.database, observations);
    const placed = observations.map((observation, index) => {
      const app = answers[index]?.app ?? null;
      return isOwn(app, asker) ? this.place(observation, app, asker) : new Refusal('app_not_found', 'no such app');
    });
    const good = placed.filter((one): one is PlacedObservation => !(one instanceof Refusal));
    return {
      wanted: wantedBy(good),
      decide: (world) => placed.map((one) => (one instanceof Refusal ? one : this.decide(world, one))),
    };
  }

  private async read(batch: readonly Asked[]): Promise<void> {
    const answers = await readWarm(
      this.database,
      batch.map(({ observation }) => observation),
    );
    for (const [index, asked] of batch.entries()) {
      const answer = answers[index];
      if (answer === undefined) throw new Error('the warm read answers every question');
      this.settleOrQueue(asked, answer);
    }
  }

  private settleOrQueue(asked: Asked, answer: WarmAnswer): void {
    const { observation, asker } = asked;
    const { app } = answer;
    if (!isOwn(app, asker)) {
      asked.answer(new Refusal('app_not_found', 'no such app'));
      return;
    }
    const placed = this.place(observation, app, asker);
    const warm = warmResult(placed, answer);
    if (warm === null) this.writes.push({ ...asked, placed });
    else asked.answer(warm);
  }

  /** The unionId means something in the account the app was bound to when it was seen. */
  private place(observation: Observation, app: NonNullable<WarmAnswer['app']>, asker: Asker): PlacedObservation {
    const seen = observation.observedAt;
    const beforeBinding = seen !== null && app.boundSince !== null && seen < app.boundSince;
    const former = app.formerOpenPlatformIds;
    const { entityId: _entityId, ...origin } = asker;
    return {
      ...observation,
      entityId: app.entityId,
      openPlatformId: beforeBinding && former.length > 0 ? (former.at(-1) ?? null) : app.openPlatformId,
      formerOpenPlatformIds: former.filter((account) => account !== app.openPlatformId),
      fingerprint:
        seen === null && !observation.firstSeenAt ? null : this.fingerprints.of(observation.appId, observation.openId),
      origin,
    };
  }

  private async write(batch: readonly Placed[]): Promise<void> {
    try {
      const answers = await outsideRequests(() => this.commit(batch));
      for (const [index, asked] of batch.entries()) {
        const answer = answers[index];
        if (answer === undefined) throw new Error('every observation is decided');
        asked.answer(answer);
      }
    } catch (error) {
      // One that fails must not fail its neighbours, and a crowd that loses every race is easier to place by halves.
      if (batch.length === 1 || !(isContention(error) || isBug(error))) throw error;
      const middle = Math.ceil(batch.length / 2);
      await this.writeOrFail(batch.slice(0, middle));
      await this.writeOrFail(batch.slice(middle));
    }
  }

  private async writeOrFail(batch: readonly Placed[]): Promise<void> {
    try {
      await this.write(batch);
    } catch (error) {
      for (const asked of batch) asked.fail(error);
    }
  }

  private commit(asked: readonly Placed[]): Promise<ResolveAnswer[]> {
    const batch = asked.map(({ placed }) => placed);
    return this.changes.run(wantedBy(batch), async (world, transaction) => {
      const answers = batch.map((observation) => this.decide(world, observation));
      const done = asked.flatMap(({ step }, index) => {
        const result = answers[index];
        return step === null || result instanceof Refusal ? [] : [{ step, result }];
      });
      await this.effects.record(transaction, done);
      return answers;
    });
  }

  private decide(world: World, observation: PlacedObservation): ResolveAnswer {
    try {
      return resolveOne(world, observation, this.settings);
    } catch (error) {
      if (error instanceof Refusal) return error;
      throw error;
    }
  }
}

/** A part of somebody's transaction: what to lock, and what to decide over it. */
export interface ResolvePlan {
  readonly wanted: Partial<Wanted>;
  readonly decide: (world: World) => ResolveAnswer[];
}

function isOwn(app: WarmAnswer['app'], asker: Asker): app is NonNullable<WarmAnswer['app']> {
  return app !== null && (asker.entityId === null || asker.entityId === app.entityId);
}

function wantedBy(batch: readonly PlacedObservation[]): Partial<Wanted> {
  const unionKeys = batch.flatMap(({ entityId, openPlatformId, formerOpenPlatformIds, unionId }) =>
    unionId === null
      ? []
      : [openPlatformId, ...formerOpenPlatformIds].flatMap((account) =>
          account === null ? [] : [{ entityId, openPlatformId: account, unionId }],
        ),
  );
  const fingerprints = batch.flatMap(({ fingerprint }) => (fingerprint === null ? [] : [fingerprint]));
  return { identities: batch, unionKeys, fingerprints };
}

/** Neither contention nor an outage: something about one of the observations is at fault. */
function isBug(error: unknown): boolean {
  return error instanceof Error && error.name !== 'DatabaseUnavailable';
}

function keysOf({ appId, openId, entityId, openPlatformId, unionId }: PlacedObservation): string[] {
  const identity = `${appId}:${openId}`;
  return unionId === null || openPlatformId === null
    ? [identity]
    : [identity, `${entityId}\n${openPlatformId}\n${unionId}`];
}

/** The answer where the observation says nothing new; null where something has to be written. */
function warmResult(placed: PlacedObservation, { owner, keyOwnerId }: WarmAnswer): ResolveResult | null {
  if (owner === null) return null;
  // A departure after the observation can only matter where the identity came back since.
  if (placed.observedAt !== null && placed.observedAt < owner.linkedAt) return null;
  // Whether an unknown unionId belongs to a former account of the app is decided over loaded keys only.
  if (placed.unionId !== null && placed.formerOpenPlatformIds.length > 0 && keyOwnerId === null) return null;
  const settled = isSettled({
    unionId: placed.unionId,
    unusable: placed.unionId === null ? null : unusableReason(placed, false),
    openPlatformId: placed.openPlatformId,
    ownerId: owner.userId,
    keyOwnerId,
    pendingUnionId: owner.pendingUnionId,
  });
  if (!settled) return null;
  return {
    outcome: 'unchanged',
    user: {
      id: owner.userId,
      entityId: placed.entityId,
      status: 'live',
      version: owner.version,
      createdAt: owner.createdAt.toISOString(),
      unionIds: owner.unionIds,
    },
    identity: { appId: placed.appId, openId: placed.openId, linkedAt: owner.linkedAt.toISOString() },
    previousUserId: null,
    conflictId: null,
  };
}
