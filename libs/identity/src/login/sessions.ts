import { createPrivateKey } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import type { JWK } from 'jose';
import { exportJWK, exportPKCS8, generateKeyPair, SignJWT } from 'jose';
import { Database } from '#store';
import { v7 } from 'uuid';
import { Sealer } from '../access/sealer.js';

/** Under three days (contract), and short enough that a stolen token ages fast. */
const sessionSeconds = 12 * 3600;
/** A retired key is shown until the last token signed with it has expired. */
const shownAfterRetiringSeconds = 3 * 24 * 3600;
const keyRememberedMs = 60_000;
const issuer = 'unionlink';

export interface Session {
  readonly token: string;
  readonly expiresAt: string;
}

interface SigningKey {
  readonly kid: string;
  readonly key: ReturnType<typeof createPrivateKey>;
  readonly readAt: number;
}

/** Login sessions: JWTs that any sibling checks by itself with the published keys. Never an openId or unionId in them. */
@Injectable()
export class Sessions {
  private current: SigningKey | null = null;

  constructor(
    private readonly database: Database,
    private readonly sealer: Sealer,
  ) {}

  async issue(user: { readonly id: string; readonly entityId: string }, appId: string): Promise<Session> {
    const { kid, key } = await this.signingKey();
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

  /** The keys that tokens in circulation may be signed with. */
  async publicKeys(): Promise<JWK[]> {
    await this.signingKey();
    const rows = await this.database.query<{ public_jwk: JWK }>({
      name: 'public-keys',
      text: `SELECT public_jwk FROM signing_key WHERE retired_at IS NULL
        OR retired_at > clock_timestamp() - make_interval(secs => $1) ORDER BY created_at DESC`,
      values: [shownAfterRetiringSeconds],
    });
    return rows.map((row) => row.public_jwk);
  }

  private async signingKey(): Promise<SigningKey> {
    const now = Date.now();
    if (this.current !== null && now - this.current.readAt < keyRememberedMs) return this.current;
    const row = (await this.readCurrent()) ?? (await this.makeFirst());
    const pem = this.sealer.open(row.private_key, `signing-key:${row.kid}`).toString();
    this.current = { kid: row.kid, key: createPrivateKey(pem), readAt: now };
    return this.current;
  }

  private async readCurrent(): Promise<{ kid: string; private_key: Buffer } | null> {
    const [row] = await this.database.query<{ kid: string; private_key: Buffer }>({
      name: 'current-signing-key',
      text: 'SELECT kid, private_key FROM signing_key WHERE retired_at IS NULL',
    });
    return row ?? null;
  }

  /** Two replicas may both make one; the unique index keeps the first, and both sign with it. */
  private async makeFirst(): Promise<{ kid: string; private_key: Buffer }> {
    const pair = await generateKeyPair('EdDSA', { crv: 'Ed25519', extractable: true });
    const kid = v7();
    const jwk = { ...(await exportJWK(pair.publicKey)), kid, alg: 'EdDSA', use: 'sig' };
    const sealed = this.sealer.seal(await exportPKCS8(pair.privateKey), `signing-key:${kid}`);
    await this.database.query({
      text: 'INSERT INTO signing_key (kid, private_key, public_jwk) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING',
      values: [kid, sealed, JSON.stringify(jwk)],
    });
    const row = await this.readCurrent();
    if (row === null) throw new Error('a signing key was just made');
    return row;
  }
}
