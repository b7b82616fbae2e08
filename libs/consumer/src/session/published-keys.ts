import type { JWTVerifyGetKey } from 'jose';
import { createLocalJWKSet, createRemoteJWKSet, errors } from 'jose';

/** The service publishes a key an hour before it signs with it, and lets caches keep the list for five minutes. */
const keptMs = 300_000;
const requestTimeoutMs = 2_000;
/** While the keys' address does not answer it is asked again this often, and not by everybody who comes. */
const pausedMs = 5_000;

/** The service's public keys. While it is away those we have go on: siblings check sessions by themselves. */
export function publishedKeys(url: string): JWTVerifyGetKey {
  const remote = createRemoteJWKSet(new URL('/.well-known/jwks.json', url), {
    cacheMaxAge: keptMs,
    timeoutDuration: requestTimeoutMs,
  });
  let pausedUntil = 0;
  return async (header, token) => {
    const kept = remote.jwks();
    if (kept !== undefined && Date.now() < pausedUntil) return createLocalJWKSet(kept)(header, token);
    try {
      return await remote(header, token);
    } catch (error) {
      if (kept === undefined || !isOutage(error)) throw error;
      pausedUntil = Date.now() + pausedMs;
      return createLocalJWKSet(kept)(header, token);
    }
  };
}

/**
 * Whether it says something of the keys' address and nothing of the token. jose tells of an answer that is not 200, or not
 * JSON, with its base class alone.
 */
export function isOutage(error: unknown): boolean {
  if (!(error instanceof errors.JOSEError)) return true;
  return (
    error instanceof errors.JWKSTimeout || error instanceof errors.JWKSInvalid || error.code === errors.JOSEError.code
  );
}
