import type { Acknowledgement, IdentityRef } from '#events';
import { userEventTypes } from '#events';
import type { FeedPage } from './event-stream.js';
import { EventStream } from './event-stream.js';

export interface ServiceOptions {
  /** Of the identity service, without /v1. */
  readonly url: string;
  /** A key with the scope `read`; for a participant over HTTP also `merge`, and `admin` where it acknowledges erasures. */
  readonly apiKey: string;
}

export interface FeedOptions extends ServiceOptions {
  /** At the end of the feed, whether to be told what comes next by a server-sent stream. Default true. */
  readonly stream?: boolean;
  /** How long to wait at the end of the feed before asking again, without a stream. Default 500 ms. */
  readonly pollMs?: number;
  /** Without a turn of the loop for so long liveness fails. Default 60 s. */
  readonly stalledAfterMs?: number;
}

/** The identity service answered with something else than what was asked for. Never carries the key. */
export class ServiceRefused extends Error {
  override readonly name = 'ServiceRefused';

  constructor(
    readonly status: number,
    asked: string,
    /** What the service itself found wrong; nothing where something in between refused. */
    readonly paths: readonly string[] = [],
  ) {
    super(`${asked}: the identity service answered ${status}`);
  }
}

export const pageMax = 200;
const proposalTypes = ['identity.MergeProposed.v1'];
const requestTimeoutMs = 15_000;

/** The part of the REST API that a follower needs. */
export class ServiceClient {
  private knowsOurTypes = true;

  constructor(private readonly options: ServiceOptions) {}

  async page(after: string | null, wantsProposals: boolean, signal: AbortSignal): Promise<FeedPage> {
    const place = { limit: String(pageMax), ...(after === null ? {} : { after }) };
    const response = await this.narrowed(wantsProposals, (types) =>
      this.ask('GET', `/v1/events?${new URLSearchParams({ ...place, ...types }).toString()}`, undefined, signal),
    );
    const body: unknown = await response.json();
    if (!isPage(body)) throw new Error('GET /v1/events: the answer is not a page of events');
    return body;
  }

  /** What comes behind `after`, as it comes, until `signal` fires. */
  async stream(after: string, wantsProposals: boolean, signal: AbortSignal): Promise<EventStream> {
    const opened = new AbortController();
    const tooLate = setTimeout(() => opened.abort(), requestTimeoutMs);
    try {
      const headers = { accept: 'text/event-stream', 'last-event-id': after };
      const either = AbortSignal.any([signal, opened.signal]);
      const { body } = await this.narrowed(wantsProposals, (types) =>
        this.send('GET', `/v1/events?${new URLSearchParams(types).toString()}`, { headers, signal: either }),
      );
      if (body === null) throw new Error('GET /v1/events: the stream is empty');
      return new EventStream(body, after);
    } finally {
      clearTimeout(tooLate);
    }
  }

  /** A service older than this library refuses types that it does not know: then all come, and are passed over here. */
  private async narrowed(
    wantsProposals: boolean,
    ask: (types: { readonly types?: string }) => Promise<Response>,
  ): Promise<Response> {
    if (!this.knowsOurTypes) return ask({});
    try {
      return await ask({ types: typesOf(wantsProposals) });
    } catch (error) {
      if (!(error instanceof ServiceRefused) || !error.paths.includes('types')) throw error;
      this.knowsOurTypes = false;
      return ask({});
    }
  }

  /** Null: nobody is known by it. */
  async ownerOf({ appId, openId }: IdentityRef): Promise<string | null> {
    const path = `/v1/identities/${encodeURIComponent(appId)}/${encodeURIComponent(openId)}`;
    try {
      const body: unknown = await (await this.ask('GET', path)).json();
      return idOf(body);
    } catch (error) {
      if (error instanceof ServiceRefused && error.status === 404) return null;
      throw error;
    }
  }

  async acknowledge({ kind, id, ...answer }: Acknowledgement): Promise<void> {
    const collection = kind === 'erasure' ? 'erasures' : 'merges';
    await this.ask('POST', `/v1/${collection}/${encodeURIComponent(id)}/acknowledgements`, answer);
  }

  private async ask(method: string, path: string, body?: object, signal?: AbortSignal): Promise<Response> {
    const timeout = AbortSignal.timeout(requestTimeoutMs);
    return this.send(method, path, {
      headers: { accept: 'application/json', ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
    });
  }

  private async send(
    method: string,
    path: string,
    { headers, ...rest }: { headers: Record<string, string>; body?: string; signal: AbortSignal },
  ): Promise<Response> {
    const response = await fetch(new URL(path, this.options.url), {
      method,
      redirect: 'error',
      headers: { authorization: `Bearer ${this.options.apiKey}`, ...headers },
      ...rest,
    });
    if (response.ok) return response;
    // Read to its end, so that the connection can be used again.
    const paths = pathsOf(await response.text());
    throw new ServiceRefused(response.status, `${method} ${path.split(/[/?]/, 3).join('/')}`, paths);
  }
}

function typesOf(wantsProposals: boolean): string {
  return [...userEventTypes, ...(wantsProposals ? proposalTypes : [])].join(',');
}

function idOf(body: unknown): string {
  const user = typeof body === 'object' && body !== null && 'user' in body ? body.user : null;
  if (typeof user === 'object' && user !== null && 'id' in user && typeof user.id === 'string') return user.id;
  throw new Error('GET /v1/identities: the answer names no user');
}

/** Of a problem document with its `errors`; of anything else none. */
function pathsOf(body: string): readonly string[] {
  try {
    const problem: { errors?: { path: string }[] } = JSON.parse(body);
    return problem.errors?.map(({ path }) => path) ?? [];
  } catch {
    return [];
  }
}

function isPage(body: unknown): body is FeedPage {
  return (
    typeof body === 'object' &&
    body !== null &&
    'items' in body &&
    Array.isArray(body.items) &&
    'nextCursor' in body &&
    typeof body.nextCursor === 'string'
  );
}
