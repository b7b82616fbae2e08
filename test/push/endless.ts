import { once } from 'node:events';
import { request } from 'node:http';

/** Bytes that were taken of a body without an end until it was answered or hung up on, `max` at most. */
export async function sendWithoutEnd(url: string, max: number): Promise<number> {
  const sending = request(url, { method: 'POST', headers: { 'content-type': 'text/xml' } });
  const over = new AbortController();
  for (const event of ['response', 'error', 'close']) sending.on(event, () => over.abort());
  let sent = 0;
  const chunk = Buffer.alloc(65_536, '<');
  for (; sent < max && !over.signal.aborted; sent += chunk.length)
    if (!sending.write(chunk)) await once(sending, 'drain', { signal: over.signal }).catch(() => undefined);
  sending.destroy();
  return sent;
}
