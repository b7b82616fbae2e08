import { ApiProperty } from '@nestjs/swagger';

/** What is answered about people. Times are RFC 3339 in UTC with milliseconds. */

export class IdentityAnswer {
  appId: string;
  openId: string;
  linkedAt: string;
}

export class UnionIdAnswer {
  openPlatformId: string;
  unionId: string;
}

/** A live user, without its identities. */
export class UserBriefAnswer {
  /** UUIDv7, issued once and never reused. */
  id: string;
  entityId: string;
  status: 'live';
  /** Steps by one with every change of this user. */
  version: number;
  createdAt: string;
  @ApiProperty({ type: [UnionIdAnswer] })
  unionIds: readonly UnionIdAnswer[];
}

export class UserAnswer extends UserBriefAnswer {
  @ApiProperty({ type: [IdentityAnswer] })
  identities: readonly IdentityAnswer[];
}

export class UserFoundAnswer extends UserAnswer {
  /** The id asked for, where it was merged into this user. */
  requestedUserId?: string;
}

/** That id's own state at a moment, as the event of then carried it. */
export class UserThenAnswer {
  id: string;
  entityId?: string;
  status: 'live' | 'merged' | 'erased';
  version: number;
  createdAt?: string;
  mergedInto?: string | null;
  @ApiProperty({ type: [IdentityAnswer] })
  identities?: readonly IdentityAnswer[];
  @ApiProperty({ type: [UnionIdAnswer] })
  unionIds?: readonly UnionIdAnswer[];
}

export class UserPage {
  @ApiProperty({ type: [UserBriefAnswer] })
  items: readonly UserBriefAnswer[];
  /** Null: the last page. */
  nextCursor: string | null;
}

export class UserLookupResult {
  id: string;
  status: 'live' | 'merged' | 'erased' | 'unknown';
  /** The live user it leads to; null where there is none. */
  userId: string | null;
}

export class UserLookupAnswer {
  /** One per question, in order. */
  @ApiProperty({ type: [UserLookupResult] })
  results: readonly UserLookupResult[];
}

export class HistoryEntry {
  userId: string;
  version: number;
  at: string;
  /** The event type without its prefix: `UserLinked`, … */
  action: string;
  /** `key:{id}`, `operator`, `system`, … */
  actor: string;
  cause: string;
  reason: string | null;
  requestId: string | null;
  /** The user before and after the step, as in the events; null on an erased id. */
  before: UserThenAnswer | null;
  after: UserThenAnswer | null;
  evidence: object | null;
}

export class HistoryPage {
  /** Newest first. */
  @ApiProperty({ type: [HistoryEntry] })
  items: readonly HistoryEntry[];
  nextCursor: string | null;
}

export class OpenIdAnswer {
  appId: string;
  openId: string;
}
