import { admitAnswer, Answers } from '#identity';
import type { Inbox, InboundRecord, Work } from './inbox.js';
import { originOf, parseJson } from './inbox.js';

/** What participants have done with merges and erasures: the same barrier as by REST. */
export class AcknowledgementsInbox implements Inbox {
  /** Each is a statement or two of its own, over the connections that publishing needs too. */
  readonly chunkMax = 64;

  constructor(private readonly answers: Answers) {}

  read(record: InboundRecord): Work {
    const answer = admitAnswer(parseJson(record));
    return {
      keys: [...new Set([record.key?.toString('latin1') ?? answer.id, answer.id])],
      apply: () => this.answers.take(answer, originOf(record, 'participant', `participant:${answer.participant}`)),
    };
  }
}
