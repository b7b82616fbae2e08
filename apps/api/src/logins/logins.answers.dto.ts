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
