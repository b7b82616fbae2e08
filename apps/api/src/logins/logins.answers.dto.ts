import { ApiProperty } from '@nestjs/swagger';
import { ResolvedAnswer } from '../identities/identities.answers.dto.js';

export class SessionAnswer {
  /** A JWT (EdDSA): `sub` the user, `aud` the entity, `app` the app. */
  token: string;
  expiresAt: string;
}

export class LoginAnswer extends ResolvedAnswer {
  session: SessionAnswer;
}

export class KeysAnswer {
  /** JSON Web Keys (RFC 7517). */
  @ApiProperty({ type: [Object] })
  keys: readonly object[];
}

/** Everything issued to `userId` before `issuedBefore`, or the one token `jti`. */
export class RevocationAnswer {
  userId?: string;
  issuedBefore?: string;
  jti?: string;
  /** When the last token it can mean has expired: the entry leaves the list. */
  expiresAt: string;
}

export class RevocationsAnswer {
  @ApiProperty({ type: [RevocationAnswer] })
  items: readonly RevocationAnswer[];
  /** Never null: what to ask with next. */
  nextCursor: string;
  /** Ask again at once. */
  hasMore: boolean;
}
