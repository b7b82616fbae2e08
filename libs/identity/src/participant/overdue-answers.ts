import { Injectable } from '@nestjs/common';
import { countOverdue, Database, hasUntoldOverdue, takeUntoldOverdue } from '#store';
import { Changes } from '../change/changes.js';
import type { Origin } from '../change/world.js';

const atOnce = 100;

const origin: Origin = { cause: 'automatic', actor: 'service', requestId: null, traceparent: null, reason: null };

/** Participants that have not confirmed in time what they must: told once each, and counted as long as it lasts. */
@Injectable()
export class OverdueAnswers {
  constructor(
    private readonly database: Database,
    private readonly changes: Changes,
  ) {}

  /** One notice for each, in the transaction that marks it as told. Answers how many. */
  async tell(): Promise<number> {
    if (!(await hasUntoldOverdue(this.database))) return 0;
    return this.changes.run({}, async (world, transaction) => {
      const overdue = await takeUntoldOverdue(transaction, atOnce);
      for (const { kind, subjectId, participant, overdueAt, entityId, userId } of overdue) {
        const told = { kind, id: subjectId, participant, overdueAt: overdueAt.toISOString() };
        world.notice(entityId, userId, 'identity.AcknowledgementOverdue.v1', told, origin);
      }
      return overdue.length;
    });
  }

  count(): Promise<number> {
    return countOverdue(this.database);
  }
}
