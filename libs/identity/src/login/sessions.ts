import { Injectable } from '@nestjs/common';
import { SignJWT } from 'jose';
import { v7 } from 'uuid';
import { SigningKeys } from './signing-keys.js';

/** Under three days (contract), and short enough that a stolen token ages fast. */
export const sessionSeconds = 12 * 3600;
const issuer = 'unionlink';

export interface Session {
  readonly token: string;
  readonly expiresAt: string;
}

/** Login sessions: JWTs that any sibling checks by itself with the published keys. Never an openId or unionId in them. */
@Injectable()
export class Sessions {
  constructor(private readonly keys: SigningKeys) {}

  async issue(user: { readonly id: string; readonly entityId: string }, appId: string): Promise<Session> {
    const { kid, key } = await this.keys.current();
    const now = Math.floor(Date.now() / 1000);
    const token = await new SignJWT({ app: appId })
      .setProtectedHeader({ alg: 'EdDSA', kid, typ: 'JWT' })
      .setIssuer(issuer)
      .setSubject(user.id)
      .setAudience(user.entityId)
      .setIssuedAt(now)
      .setExpirationTime(now + sessionSeconds)
      .setJti(v7())
      .sign(key);
    return { token, expiresAt: new Date((now + sessionSeconds) * 1000).toISOString() };
  }
}
