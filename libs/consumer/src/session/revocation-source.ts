import type { ServiceOptions } from '../feed/service-client.js';
import { ServiceRefused } from '../feed/service-client.js';
import type { RevocationAnswer } from './revocation-list.js';

/** Somebody waits for it with a request of theirs: better an older list than a slow answer. */
const requestTimeoutMs = 2_000;
const path = '/v1/sessions/revocations';

export async function askForRevocations(
  { url, apiKey }: ServiceOptions,
  since: string | null,
): Promise<RevocationAnswer> {
  const query = since === null ? '' : `?${new URLSearchParams({ since }).toString()}`;
  const response = await fetch(new URL(`${path}${query}`, url), {
    redirect: 'error',
    headers: { authorization: `Bearer ${apiKey}`, accept: 'application/json' },
    signal: AbortSignal.timeout(requestTimeoutMs),
  });
  const body: unknown = await response.json();
  if (!response.ok) throw new ServiceRefused(response.status, `GET ${path}`);
  if (!isAnswer(body)) throw new Error(`GET ${path}: the answer is not a list of revocations`);
  return body;
}

function isAnswer(body: unknown): body is RevocationAnswer {
  return (
    typeof body === 'object' &&
    body !== null &&
    'items' in body &&
    Array.isArray(body.items) &&
    'nextCursor' in body &&
    typeof body.nextCursor === 'string' &&
    'hasMore' in body &&
    typeof body.hasMore === 'boolean'
  );
}
