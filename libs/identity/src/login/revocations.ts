import { Injectable } from '@nestjs/common';
import {
  Database,
  dropSpentRevocations,
  readAliases,
  readRestoreEpoch,
  readRevocations,
  recordDeed,
  revokeToken,
  revokeUserSessions,
} from '#store';
import type { Author } from '../access/deeds.js';
import { Users } from '../lookup/users.js';
import { Refusal } from '../problem.js';
import { sessionSeconds } from './sessions.js';

/** Either every token of a user issued before a moment, or one token. */
export type Revocation =
  | { readonly userId: string; readonly issuedBefore: string; readonly expiresAt: string }
  | { readonly jti: string; readonly expiresAt: string };

export interface RevocationList {
  readonly items: readonly Revocation[];
  /** What to ask with next; never null. */
  readonly nextCursor: string;
  /** Ask again at once. */
  readonly hasMore: boolean;
}

const cursorPattern = /^(\d{1,9})\.(\d{1,19})$/;

/**
 * Sessions that count no more. Tokens are checked without asking us, so what was revoked is a list that verifiers poll;
 * an entry leaves it when the last token it can mean has expired, which keeps it short.
 */
@Injectable()
export class Revocations {
  constructor(
    private readonly database: Database,
    private readonly users: Users,
  ) {}

  /**
   * Everything issued to this person until now, under whichever of their ids. Throws `user_not_found`, and `user_erased`:
   * their sessions were revoked by the erasure.
   */
  async revokeUser(userId: string, entityId: string | null, by: Author): Promise<Revocation> {
    const user = await this.users.live(userId, entityId);
    const { issuedBefore, expiresAt } = await this.database.transaction(async (transaction) => {
      const userIds = [user.id, ...(await readAliases(transaction, user.id))];
      const deed = { entityId: user.entityId, action: 'sessions.revoked', subject: user.id, details: {} };
      await recordDeed(transaction, { ...by, ...deed });
      return revokeUserSessions(transaction, { entityId: user.entityId, userIds, sessionSeconds });
    });
    return { userId: user.id, issuedBefore: issuedBefore.toISOString(), expiresAt: expiresAt.toISOString() };
  }

  async revokeToken(jti: string, entityId: string, by: Author): Promise<Revocation> {
    const { expiresAt } = await this.database.transaction(async (transaction) => {
      await recordDeed(transaction, { ...by, entityId, action: 'session.revoked', subject: jti, details: {} });
      return revokeToken(transaction, { entityId, jti, sessionSeconds });
    });
    return { jti, expiresAt: expiresAt.toISOString() };
  }

  /** A cursor from before a restore starts anew. */
  async list(since: string | null, entityId: string | null): Promise<RevocationList> {
    const epoch = await readRestoreEpoch(this.database);
    const seen = since === null ? null : read(since);
    const from = seen?.epoch === epoch ? seen.xid : '0';
    const { rows, nextXid, hasMore } = await readRevocations(this.database, entityId, from);
    const items = rows.map(({ user_id, jti, issued_before, expires_at }): Revocation => {
      const expiresAt = expires_at.toISOString();
      if (user_id !== null) return { userId: user_id, issuedBefore: issued_before.toISOString(), expiresAt };
      return { jti: jti ?? '', expiresAt };
    });
    return { items, nextCursor: `${epoch}.${nextXid}`, hasMore };
  }

  sweep(): Promise<number> {
    return dropSpentRevocations(this.database);
  }
}

function read(cursor: string): { epoch: number; xid: string } {
  const [, epoch, xid] = cursorPattern.exec(cursor) ?? [];
  if (epoch !== undefined && xid !== undefined) return { epoch: Number(epoch), xid };
  const message = 'since is not a cursor that this list answered';
  throw new Refusal('invalid_request', message, { errors: [{ path: 'since', message }] });
}
