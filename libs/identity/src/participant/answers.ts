import { Injectable } from '@nestjs/common';
import type { Acknowledgement } from '#events';
import type { Origin } from '../change/world.js';
import { MergeCases } from '../consent/merge-cases.js';
import { isUserId } from '../lookup/users.js';
import { Refusal } from '../problem.js';
import { Participants } from './participants.js';

/** The one door for what participants say, whether it came over Kafka or by REST. */
@Injectable()
export class Answers {
  constructor(
    private readonly participants: Participants,
    private readonly cases: MergeCases,
  ) {}

  /**
   * `accept` and `refuse` answer a MergeProposed, `done` and `failed` a merge, a revert or an erasure. An answer may come
   * again, late, or about something nobody knows: it is recorded and changes nothing.
   */
  async take(answer: Acknowledgement, origin: Origin): Promise<void> {
    const { kind, id, participant, status, detail = null } = answer;
    if (!isUserId(id)) throw new Refusal('invalid_request', 'id must be the id of a merge or an erasure');
    if (status === 'accept' || status === 'refuse') {
      if (kind !== 'merge') throw new Refusal('invalid_request', `nobody is asked for consent to kind ${kind}`);
      await this.cases.answer({ mergeId: id, participant, answer: status, reason: detail }, origin);
      return;
    }
    await this.participants.acknowledge({ kind, subjectId: id, participant, status, detail });
  }

  /** By REST, where only the merge is named: see `Participants.acknowledgeMerge`. */
  async takeAboutMerge(
    mergeId: string,
    answer: {
      readonly participant: string;
      readonly status: Acknowledgement['status'];
      readonly detail: string | null;
    },
    origin: Origin,
  ): Promise<void> {
    const { participant, status, detail } = answer;
    if (status === 'accept' || status === 'refuse')
      await this.cases.answer({ mergeId, participant, answer: status, reason: detail }, origin);
    else await this.participants.acknowledgeMerge(mergeId, { participant, status, detail });
  }
}
