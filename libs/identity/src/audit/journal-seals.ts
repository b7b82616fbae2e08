import { Injectable } from '@nestjs/common';
import { appendSeals, Database, holdDuty, leaveDuty, readUnsealed } from '#store';
import { v7 } from 'uuid';

const duty = 'journal seals';
/** A backlog is sealed in portions, so that a process that is told to stop does. */
const portionsMax = 20;

/**
 * Seals what is committed behind the journal, entity by entity, in chains of hashes: an entry that is changed, removed
 * or put in afterwards breaks its entity's chain (`npm run cli -- audit verify`). On one replica at a time, to save the
 * others the work; that two at once write one chain is kept by the place they move.
 */
@Injectable()
export class JournalSeals {
  private readonly owner = v7();

  constructor(private readonly database: Database) {}

  /** Answers how many entries were sealed; 0 also where another replica does it. */
  async run(): Promise<number> {
    let sealed = 0;
    for (let portion = 0; portion < portionsMax; portion += 1) {
      const unsealed = await readUnsealed(this.database);
      if (unsealed.isNothingLeft) return sealed;
      if (!(await holdDuty(this.database, duty, this.owner))) return sealed;
      sealed += await appendSeals(this.database, unsealed);
      if (unsealed.portion.isEnd) return sealed;
    }
    return sealed;
  }

  async stop(): Promise<void> {
    await leaveDuty(this.database, duty, this.owner);
  }
}
