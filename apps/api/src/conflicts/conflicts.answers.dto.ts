import { ApiProperty } from '@nestjs/swagger';

export class ConflictAnswer {
  id: string;
  kind: string;
  status: string;
  /** How often it was seen. */
  count: number;
  firstSeenAt: Date;
  lastSeenAt: Date;
  @ApiProperty({ type: [String] })
  userIds: readonly string[];
  appId: string;
  openId: string;
  unionId: string;
  openPlatformId: string;
  /** In words. */
  likelyCause: string;
  @ApiProperty({ type: [Object] })
  evidence: readonly object[];
  decision: string | null;
  decidedBy: string | null;
  decidedAt: Date | null;
  reason: string | null;
}

export class ConflictPage {
  @ApiProperty({ type: [ConflictAnswer] })
  items: readonly ConflictAnswer[];
  nextCursor: string | null;
}
