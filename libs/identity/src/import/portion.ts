import type { OpenImport, StoredLine, Transaction, Wanted } from '#store';
import type { Cause } from '#events';
import type { Origin, World } from '../change/world.js';

/** What became of one line: an outcome that is counted, or why it was refused. */
export type LineResult = { readonly outcome: string } | { readonly code: string; readonly message: string };

/** A few lines of a job, to be decided and written in one transaction. */
export interface Portion {
  readonly wanted: Partial<Wanted>;
  /** Answers line by line. `transaction` null: a rehearsal, nothing may be written. */
  readonly decide: (world: World, transaction: Transaction | null) => LineResult[] | Promise<LineResult[]>;
}

/** How one kind of import applies its lines. What it has to ask elsewhere it asks here, before any transaction. */
export interface PortionMaker {
  make(job: OpenImport, lines: readonly StoredLine[]): Promise<Portion>;
}

export function originOf(job: OpenImport, cause: Cause): Origin {
  return {
    cause,
    actor: job.actor,
    requestId: job.request_id,
    traceparent: job.traceparent,
    reason: `import ${job.id}`,
  };
}
