/** A small JSON client: one answer per call, whatever its status. Connections are kept alive by fetch itself. */

export interface Answer<Body> {
  readonly status: number;
  readonly body: Body;
  readonly headers: Headers;
}

export interface RequestOptions {
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

export interface Http {
  get<Body = Json>(path: string, options?: RequestOptions): Promise<Answer<Body>>;
  post<Body = Json>(path: string, body?: unknown, options?: RequestOptions): Promise<Answer<Body>>;
  put<Body = Json>(path: string, body?: unknown, options?: RequestOptions): Promise<Answer<Body>>;
  delete<Body = Json>(path: string, options?: RequestOptions): Promise<Answer<Body>>;
  /** The same server with another bearer key; undefined: with none. */
  as(key: string | undefined): Http;
}

/**
 * What a caller reads from an answer without declaring its shape first; a field that is not there is undefined, and the
 * expectation on it fails.
 */
// oxlint-disable-next-line typescript/no-explicit-any
export type Json = any;

/**
 * `body` is sent as JSON; a string or bytes are sent as they stand, with the content type the options give
 * (application/json unless they say otherwise).
 */
export function http(baseUrl: string, key?: string): Http {
  const send = async (method: string, path: string, body: unknown, options: RequestOptions = {}) => {
    const hasBody = body !== undefined;
    const response = await fetch(new URL(path, baseUrl), {
      method,
      redirect: 'manual',
      headers: {
        ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
        ...(hasBody ? { 'content-type': 'application/json' } : {}),
        ...options.headers,
      },
      ...(hasBody
        ? { body: typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body) }
        : {}),
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    });
    return { status: response.status, headers: response.headers, body: await parse(response) };
  };
  return {
    get: (path, options) => send('GET', path, undefined, options),
    post: (path, body, options) => send('POST', path, body, options),
    put: (path, body, options) => send('PUT', path, body, options),
    delete: (path, options) => send('DELETE', path, undefined, options),
    as: (otherKey) => http(baseUrl, otherKey),
  };
}

async function parse(response: Response): Promise<Json> {
  const text = await response.text();
  if (text === '') return undefined;
  return /json/.test(response.headers.get('content-type') ?? '') ? JSON.parse(text) : text;
}
