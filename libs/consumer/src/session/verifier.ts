import type { JWTVerifyGetKey } from 'jose';
import { errors, jwtVerify } from 'jose';
import type { IdentityFollower } from '../follower.js';
import type { Log } from '../log.js';
import { isOutage, publishedKeys } from './published-keys.js';
import { RevocationList } from './revocation-list.js';
import { askForRevocations } from './revocation-source.js';

/** As the identity service signs them. */
const issuer = 'unionlink';
const algorithm = 'EdDSA';
const clockToleranceSeconds = 5;
const defaultPollMs = 10_000;

export interface VerifierOptions<Tx = never> {
  /** Of the identity service, without /v1. */
  readonly url: string;
  /** Whose people may come in: tokens of another entity are refused. */
  readonly entityId: string;
  /** A key with the scope `read`. Without one, revoked sessions are accepted until they expire by themselves. */
  readonly apiKey?: string;
  /** Where your service follows the events: the answer is the current id of somebody who was merged since. */
  readonly follower?: Pick<IdentityFollower<Tx>, 'people'>;
  /** How old the list of revoked sessions may be. Default 10 s. */
  readonly pollMs?: number;
  readonly log?: Log;
}

export interface VerifiedSession {
  /** Write under this id. */
  readonly userId: string;
  readonly appId: string;
}

/** The token does not count: answer 401. Anything else that `verify` throws is an outage: answer 503. */
export class SessionRefused extends Error {
  override readonly name = 'SessionRefused';

  constructor(readonly reason: 'invalid' | 'expired' | 'revoked') {
    super(`the session is ${reason}`);
  }
}

export interface SessionVerifier {
  verify(token: string): Promise<VerifiedSession>;
  /** When the list of revoked sessions was last as the service has it; null: never, or no `apiKey`. */
  revocationsFreshAt(): Date | null;
}

/**
 * Checks login sessions in your own process: signature, expiry, entity, revocation. The identity service is asked for its
 * keys and for what was revoked, never for the single token.
 */
export function sessionVerifier<Tx = never>(options: VerifierOptions<Tx>): SessionVerifier {
  const { url, entityId, apiKey, follower, pollMs = defaultPollMs, log = () => {} } = options;
  const keys = publishedKeys(url);
  const revoked =
    apiKey === undefined ? null : new RevocationList((since) => askForRevocations({ url, apiKey }, since), pollMs, log);
  return {
    async verify(token) {
      const { userId, appId, jti, issuedAtMs } = await read(token, entityId, keys);
      if ((await revoked?.holds({ userId, jti, issuedAtMs })) === true) throw new SessionRefused('revoked');
      if (follower === undefined) return { userId, appId };
      const { people } = follower;
      return { userId: await people.transaction((tx) => people.current(userId, tx)), appId };
    },
    revocationsFreshAt: () => (revoked?.freshAt == null ? null : new Date(revoked.freshAt)),
  };
}

interface Claims extends VerifiedSession {
  readonly jti: string;
  readonly issuedAtMs: number;
}

async function read(token: string, entityId: string, keys: JWTVerifyGetKey): Promise<Claims> {
  try {
    const { payload } = await jwtVerify(token, keys, {
      issuer,
      audience: entityId,
      algorithms: [algorithm],
      requiredClaims: ['sub', 'jti', 'iat', 'exp', 'app'],
      clockTolerance: clockToleranceSeconds,
    });
    const { sub, jti, iat, app } = payload;
    if (sub === undefined || jti === undefined || iat === undefined || typeof app !== 'string')
      throw new SessionRefused('invalid');
    return { userId: sub, appId: app, jti, issuedAtMs: iat * 1000 };
  } catch (error) {
    throw refusalOf(error);
  }
}

/** What is wrong with the token is a refusal; keys that cannot be had are not the token's fault. */
function refusalOf(error: unknown): unknown {
  if (error instanceof errors.JWTExpired) return new SessionRefused('expired');
  return error instanceof SessionRefused || isOutage(error) ? error : new SessionRefused('invalid');
}
