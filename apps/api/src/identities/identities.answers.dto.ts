import { ApiProperty } from '@nestjs/swagger';
import { IdentityAnswer, UserAnswer, UserBriefAnswer, UserThenAnswer } from '../users/users.answers.dto.js';
import { ProblemAnswer } from '../problem/problem.answers.dto.js';

export class ResolvedAnswer {
  /** What the observation taught us. `conflict`: nothing moved, and a human finds it under `/v1/conflicts`. */
  outcome: 'created' | 'linked' | 'keyed' | 'merged' | 'unchanged' | 'conflict';
  user: UserBriefAnswer;
  identity: IdentityAnswer;
  /** The user folded away, where the outcome is `merged`. */
  previousUserId: string | null;
  conflictId: string | null;
}

/** As ResolvedAnswer where `status` is `ok`; `problem` where it is `error`. */
export class ResolvedItem {
  /** Its place in the request. */
  index: number;
  status: 'ok' | 'error';
  outcome?: ResolvedAnswer['outcome'];
  user?: UserBriefAnswer;
  identity?: IdentityAnswer;
  previousUserId?: string | null;
  conflictId?: string | null;
  problem?: ProblemAnswer;
}

export class ResolvedBatchAnswer {
  /** In the order asked. */
  @ApiProperty({ type: [ResolvedItem] })
  results: readonly ResolvedItem[];
}

export class IdentityRefAnswer {
  appId: string;
  openId: string;
}

export class IdentityFoundAnswer {
  identity: IdentityAnswer;
  user: UserAnswer;
  /** Present, and true, where WeChat replaced this openId. */
  retired?: boolean;
  /** What stands for it now. */
  replacedBy?: IdentityRefAnswer;
}

/** Who held the identity at a moment, as they were then. */
export class IdentityThenAnswer {
  identity: IdentityAnswer;
  user: UserThenAnswer;
}

export class IdentityLookupResult {
  appId: string;
  openId: string;
  status: 'live' | 'merged' | 'erased' | 'unknown';
  userId: string | null;
}

export class IdentityLookupAnswer {
  /** One per question, in order. */
  @ApiProperty({ type: [IdentityLookupResult] })
  results: readonly IdentityLookupResult[];
}
