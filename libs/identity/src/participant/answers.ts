import { Injectable } from '@nestjs/common';
import type { Acknowledgement } from '#events';
import { Database, findMerge, hasOwnKey } from '#store';
import type { Caller } from '../access/api-keys.js';
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
    private readonly database: Database,
  ) {}

  /**
   * `accept` and `refuse` answer a MergeProposed, `done` and `failed` a merge, a revert or an erasure. An answer may come
   * again, late, or about something nobody knows: it is recorded and changes nothing. The last is refused after it was
   * recorded, so that whoever sent it hears of it.
   */
  async take(answer: Acknowledgement, origin: Origin): Promise<void> {
    const { kind, id, participant, status, detail = null } = answer;
    if (!isUserId(id)) throw new Refusal('invalid_request', 'id must be the id of a merge or an erasure');
    if (status === 'accept' || status === 'refuse') {
      if (kind !== 'merge') throw new Refusal('invalid_request', `nobody is asked for consent to kind ${kind}`);
      await this.cases.answer({ mergeId: id, participant, answer: status, reason: detail }, origin);
    } else await this.participants.acknowledge({ kind, subjectId: id, participant, status, detail });
    await this.refuseUnknown(kind, id);
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

  /**
   * By REST a participant is whoever may write merges, until it has a key of its own: that key answers as it and as
   * nobody else, and no other key of the entity answers as it. On Kafka the broker's rights say who may write.
   */
  async refuseForged(caller: Caller, participant: string): Promise<void> {
    const { entityId } = caller;
    const isForged =
      caller.participant === null
        ? entityId !== null && (await hasOwnKey(this.database, entityId, participant))
        : caller.participant !== participant;
    if (isForged) throw new Refusal('forbidden', `this key may not answer as the participant ${participant}`);
  }

  private async refuseUnknown(kind: Acknowledgement['kind'], id: string): Promise<void> {
    if (kind !== 'erasure' && (await findMerge(this.database, id, null)) === null)
      throw new Refusal('merge_not_found', 'no such merge');
    if (kind === 'erasure' && (await this.database.prisma.erasure.findUnique({ where: { id } })) === null)
      throw new Refusal('erasure_not_found', 'no such erasure');
  }
}
