import { Injectable } from '@nestjs/common';
import { Database } from '#store';
import { Fingerprints } from '../access/fingerprints.js';
import { Changes } from '../change/changes.js';
import type { Origin } from '../change/world.js';
import { isUserId } from '../lookup/users.js';
import type { AcknowledgementView } from '../participant/participants.js';
import { Participants } from '../participant/participants.js';
import { Refusal } from '../problem.js';
import { eraseUser } from './erase-user.js';

/** How much was destroyed. */
export interface Destroyed {
  readonly identities: number;
  readonly unionIds: number;
  readonly aliases: number;
}

export interface ErasureView {
  readonly id: string;
  readonly userId: string;
  readonly reason: string | null;
  readonly actor: string;
  readonly requestedAt: Date;
  readonly destroyed: Destroyed;
  readonly acknowledgements: readonly AcknowledgementView[];
  /** One of them is missing past its time. */
  readonly overdue: boolean;
}

/**
 * Destroys a person's data. When it returns, the id answers erased for ever, every alias included, and no look-up finds
 * the person; what goes on is the participants' part. What is kept: ids, versions, and keyed fingerprints, so that a
 * replayed event or a backfill does not bring the person back while a genuine new login makes a new user (P5).
 */
@Injectable()
export class Erasures {
  constructor(
    private readonly changes: Changes,
    private readonly database: Database,
    private readonly fingerprints: Fingerprints,
    private readonly participants: Participants,
  ) {}

  async erase(userId: string, entityId: string | null, origin: Origin): Promise<{ erasureId: string }> {
    return this.changes.run({ userIds: [userId].filter(isUserId) }, async (world, transaction) => {
      const user = world.user(userId);
      if (user === undefined || (entityId !== null && user.entityId !== entityId))
        throw new Refusal('user_not_found', 'no such user');
      if (user.status === 'merged')
        throw new Refusal('user_merged', 'this user was merged into another', { mergedInto: user.leadsTo });
      if (user.status === 'erased') return { erasureId: await this.earlier(userId) };
      const erasureId = await eraseUser(world, transaction, user, this.fingerprints, origin);
      return { erasureId };
    });
  }

  async get(id: string, entityId: string | null): Promise<ErasureView> {
    const row = isUserId(id)
      ? await this.database.prisma.erasure.findFirst({ where: { id, ...(entityId === null ? {} : { entityId }) } })
      : null;
    if (row === null) throw new Refusal('erasure_not_found', 'no such erasure');
    const { userId, reason, actor, requestedAt, destroyed } = row;
    const acknowledgements = await this.participants.of(id);
    const overdue = acknowledgements.some((one) => one.overdue);
    // Written by eraseUser.
    return {
      id,
      userId,
      reason,
      actor,
      requestedAt,
      destroyed: destroyed as unknown as Destroyed,
      acknowledgements,
      overdue,
    };
  }

  private async earlier(userId: string): Promise<string> {
    const row = await this.database.prisma.erasure.findUniqueOrThrow({ where: { userId } });
    return row.id;
  }
}
