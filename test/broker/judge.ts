import type { Database } from '../../libs/store/src/index.js';
import type { KafkaRecord } from '../harness/kafka.js';

/** What a topic of user events is worth, beside what was committed. */
export interface Judgement {
  /** Committed, and not in the topic. */
  readonly lost: number;
  /** In the topic, and never committed; or with another content than was committed. */
  readonly phantom: number;
  /** Behind the guard of a consumer: versions that did not follow each other. */
  readonly outOfOrder: number;
}

export const flawless: Judgement = { lost: 0, phantom: 0, outOfOrder: 0 };

/** Follows one topic as a consumer with the contract's guard does; holds no record longer than it needs. */
export class Judge {
  /** Behind the guard. */
  readonly versions = new Map<string, number>();
  outOfOrder = 0;
  /** Every record that came, by its id: how often. */
  readonly copies = new Map<string, number>();

  take({ key, version, id }: { readonly key: string; readonly version: number; readonly id: string }): void {
    this.copies.set(id, (this.copies.get(id) ?? 0) + 1);
    const known = this.versions.get(key) ?? 0;
    if (version <= known) return;
    if (version !== known + 1) this.outOfOrder += 1;
    this.versions.set(key, version);
  }

  get repeats(): number {
    let repeats = 0;
    for (const count of this.copies.values()) repeats += count - 1;
    return repeats;
  }

  against(committed: ReadonlySet<string>): Judgement {
    let lost = 0;
    for (const id of committed) if (!this.copies.has(id)) lost += 1;
    const phantom = [...this.copies.keys()].filter((id) => !committed.has(id)).length;
    return { lost, phantom, outOfOrder: this.outOfOrder };
  }
}

export function judgeRecords(records: readonly KafkaRecord[], committed: ReadonlySet<string>): Judgement {
  const judge = new Judge();
  for (const { key, headers } of records)
    judge.take({ key: key ?? '', version: Number(headers.ce_sequence), id: headers.ce_id ?? '' });
  return judge.against(committed);
}

/** The ids of all events that were committed. */
export async function committedEvents(database: Database): Promise<Set<string>> {
  const rows = await database.query<{ event_id: string }>({
    text: 'SELECT event_id FROM journal WHERE version IS NOT NULL',
  });
  return new Set(rows.map(({ event_id }) => event_id));
}
