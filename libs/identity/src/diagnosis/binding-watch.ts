import { createHash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import type { BindingCounts } from '#store';
import {
  addSuspicion,
  Database,
  dropOutdatedSuspicions,
  dropSuspicions,
  holdDuty,
  leaveDuty,
  readBindingCounts,
  readBoundApps,
} from '#store';
import { v7 } from 'uuid';
import { Changes } from '../change/changes.js';
import type { Origin } from '../change/world.js';
import { suspectBinding } from './binding.decision.js';
import type { Suspicion } from './binding.decision.js';
import { finding } from './findings.js';

const duty = 'bindings';
/** Looking takes at most a twentieth of the time, however long the counts take. */
const restPerWork = 19;

const origin: Origin = { cause: 'automatic', actor: 'service', requestId: null, traceparent: null, reason: null };

/**
 * Looks for apps whose declared binding does not fit what comes from them, and announces each cause once, until it is
 * gone. The row and the notice are one transaction, so a kill in between announces nothing twice.
 */
@Injectable()
export class BindingWatch {
  private readonly owner = v7();
  private restUntil = 0;

  constructor(
    private readonly database: Database,
    private readonly changes: Changes,
  ) {}

  /** Answers how many notices it gave; 0 also where another replica looks. */
  async run(): Promise<number> {
    const startedAt = Date.now();
    if (startedAt < this.restUntil || !(await holdDuty(this.database, duty, this.owner))) return 0;
    try {
      return await this.lookAtAll();
    } finally {
      const now = Date.now();
      this.restUntil = now + (now - startedAt) * restPerWork;
    }
  }

  async stop(): Promise<void> {
    await leaveDuty(this.database, duty, this.owner);
  }

  private async lookAtAll(): Promise<number> {
    await dropOutdatedSuspicions(this.database);
    let announced = 0;
    let failure: unknown;
    for (const appId of await readBoundApps(this.database)) {
      if (!(await holdDuty(this.database, duty, this.owner))) return announced;
      try {
        announced += await this.look(appId);
      } catch (error) {
        // An app too large to count in time keeps nobody else's from being looked at.
        failure ??= error;
      }
    }
    if (failure !== undefined) throw failure;
    return announced;
  }

  private async look(appId: string): Promise<number> {
    const counts = await readBindingCounts(this.database, appId);
    if (counts === null) return 0;
    const suspicions = suspectBinding(counts);
    const gone = counts.announced.filter((code) => !suspicions.some((suspicion) => suspicion.finding === code));
    if (gone.length > 0) await dropSuspicions(this.database, appId, gone);
    const fresh = suspicions.filter((suspicion) => !counts.announced.includes(suspicion.finding));
    for (const suspicion of fresh) await this.announce(counts, suspicion);
    return fresh.length;
  }

  private announce(counts: BindingCounts, suspicion: Suspicion): Promise<void> {
    const { appId, entityId, openPlatformId } = counts;
    return this.changes.run({}, async (world, transaction) => {
      if (!(await addSuspicion(transaction, counts, suspicion.finding))) return;
      const detail = `${finding(suspicion.finding, 'en').title}: ${suspicion.seen}.`;
      const data = { appId, openPlatformId, finding: suspicion.finding, detail };
      world.noticeOfApp(entityId, keyOf(appId), 'identity.AppBindingSuspected.v1', data, origin);
    });
  }
}

/** Notices about one app keep their order: one key, spread like any other. */
function keyOf(appId: string): string {
  return createHash('sha256').update(appId).digest('hex').slice(0, 32);
}
