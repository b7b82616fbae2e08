import { Injectable } from '@nestjs/common';
import { Database, holdDuty, leaveDuty, readDueCases } from '#store';
import { v7 } from 'uuid';
import type { Origin } from '../change/world.js';
import { MergeCases } from './merge-cases.js';

const atOnce = 100;
const duty = 'silent-cases';

const origin: Origin = { cause: 'automatic', actor: 'service', requestId: null, traceparent: null, reason: null };

/** Ends the cases in which a participant stayed silent, so that every case ends. The duty only saves work: a case ends once. */
@Injectable()
export class SilentCases {
  private readonly owner = v7();

  constructor(
    private readonly database: Database,
    private readonly cases: MergeCases,
  ) {}

  /** Answers how many it looked at. */
  async run(): Promise<number> {
    const due = await readDueCases(this.database, atOnce);
    if (due.length === 0 || !(await holdDuty(this.database, duty, this.owner))) return 0;
    const failures: unknown[] = [];
    for (const mergeId of due)
      await this.cases.lookAtTheClock(mergeId, origin).catch((error: unknown) => failures.push(error));
    // After the others: one case that cannot be written must not keep them waiting for ever.
    if (failures.length > 0)
      throw new AggregateError(failures, `${failures.length} of ${due.length} cases were not ended`);
    return due.length;
  }

  async stop(): Promise<void> {
    await leaveDuty(this.database, duty, this.owner);
  }
}
