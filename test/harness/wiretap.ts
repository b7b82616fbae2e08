import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A line to WeChat that passes everything on and remembers every secret that went over it, in either direction. */
export interface Wiretap {
  readonly url: string;
  readonly heard: ReadonlySet<string>;
  close(): Promise<void>;
}

const secretNames = new Set(['secret', 'js_code', 'code', 'access_token', 'session_key', 'refresh_token', 'signature']);

export async function tapWechat(sandboxUrl: string): Promise<Wiretap> {
  const heard = new Set<string>();
  const listen = (pairs: Iterable<readonly [string, unknown]>): void => {
    for (const [name, value] of pairs)
      if (secretNames.has(name) && typeof value === 'string' && value.length > 7) heard.add(value);
  };
  const server = createServer((request, response) => {
    void (async () => {
      const body = await bodyOf(request);
      listen(new URL(request.url ?? '', sandboxUrl).searchParams);
      listen(fieldsOf(body));
      try {
        const answer = await fetch(new URL(request.url ?? '', sandboxUrl), {
          method: request.method ?? 'GET',
          headers: { 'content-type': request.headers['content-type'] ?? 'text/plain' },
          ...(body === '' ? {} : { body }),
        });
        const text = await answer.text();
        listen(fieldsOf(text));
        response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? 'text/plain' });
        response.end(text);
      } catch {
        // The far end hung up: so does this one.
        response.destroy();
      }
    })();
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    heard,
    close: () =>
      new Promise((closed) => {
        server.close(() => closed());
        server.closeAllConnections();
      }),
  };
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks).toString();
}

function fieldsOf(text: string): [string, unknown][] {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? Object.entries(value) : [];
  } catch {
    return [];
  }
}
