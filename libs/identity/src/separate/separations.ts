import { Injectable } from '@nestjs/common';
import type { Transaction } from '#store';
import { Database, readUsers } from '#store';
import { Changes } from '../change/changes.js';
import { Effects } from '../change/effects.js';
import type { Origin } from '../change/world.js';
import { isUserId } from '../lookup/users.js';
import { Refusal } from '../problem.js';
import { requireLive } from '../split/splits.js';

export interface SeparationView {
  readonly id: string;
  readonly userIds: readonly [string, string];
  readonly created: boolean;
}

/** Lasting decisions that two users are two people. They hold between whoever the two ids lead to later. */
@Injectable()
export class Separations {
  constructor(
    private readonly changes: Changes,
    private readonly effects: Effects,
    private readonly database: Database,
  ) {}

  async separate(userIds: readonly [string, string], entityId: string | null, origin: Origin): Promise<SeparationView> {
    const asked = userIds.filter(isUserId);
    const views = await readUsers(this.database, asked, entityId);
    const [a, b] = userIds.map((id) => views.get(id)?.id ?? id);
    if (a === undefined || b === undefined) throw new Error('a separation is between two');
    if (a === b) throw new Refusal('invalid_request', 'the two ids lead to one user: revert their merge instead');
    return this.changes.run({ userIds: [a, b].filter(isUserId) }, async (world, transaction) => {
      const one = requireLive(world, a, entityId);
      const other = requireLive(world, b, one.entityId);
      const earlier = await findSeparation(transaction, one.id, other.id);
      return {
        id: earlier ?? world.separate(one, other, origin),
        userIds: [one.id, other.id],
        created: earlier === null,
      };
    });
  }

  async remove(id: string, entityId: string | null): Promise<void> {
    const text = 'DELETE FROM separation WHERE id = $1 AND ($2::text IS NULL OR entity_id = $2) RETURNING 1';
    const removed = isUserId(id)
      ? await this.effects.run(
          async (transaction) => (await transaction.query({ text, values: [id, entityId] })).length,
        )
      : 0;
    if (removed === 0) throw new Refusal('separation_not_found', 'no such separation');
  }
}

/** Of the very two: what keeps them apart by way of somebody folded into one of them ends when that merge is undone. */
async function findSeparation(transaction: Transaction, one: string, other: string): Promise<string | null> {
  const [row] = await transaction.query<{ id: string }>({
    text: 'SELECT id FROM separation WHERE user_a = least($1::uuid, $2::uuid) AND user_b = greatest($1::uuid, $2::uuid)',
    values: [one, other],
  });
  return row?.id ?? null;
}
