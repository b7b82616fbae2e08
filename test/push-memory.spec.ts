import { type Acme, ok, startAcme } from './harness/acme.js';
import { sendWithoutEnd } from './push/endless.js';
import {
  enveloped,
  pushKey,
  pushToken,
  refusedPushes,
  seal,
  type Sent,
  signedQuery,
  unreadable,
} from './push/rubbish.js';

const mebibyte = 1024 * 1024;
/** Above what the process has after it saw each of them once. Half as much again is sent. */
const growthMaxMebibytes = 128;
const atOnce = 40;

interface Hostile extends Sent {
  readonly what: string;
  readonly appId: string;
  readonly status: number;
}

const tooLarge = (what: string, body: string): Hostile => {
  return { what, appId: 'rubbish', status: 413, query: signedQuery(), body: Buffer.from(body) };
};

describe('Pushes made to fill the memory', () => {
  let acme: Acme;

  beforeAll(async () => {
    acme = await startAcme();
    for (const [appId, mode] of [
      ['rubbish', 'safe'],
      ['plain', 'plain'],
    ]) {
      const push = { token: pushToken, encodingAesKey: pushKey, mode };
      const app = { kind: 'service_account', name: appId, openPlatformId: 'op1', push };
      ok(await acme.operator.put(`/v1/entities/acme/apps/${appId}`, app));
    }
  });
  afterAll(() => acme.stop());

  const residentMebibytes = async (): Promise<number> => {
    const { body } = ok(await acme.operator.get<string>('/metrics'));
    return Number(/^process_resident_memory_bytes (\d+)$/m.exec(body)?.[1]) / mebibyte;
  };

  const hostile: readonly Hostile[] = [
    ...refusedPushes('rubbish').map(([what, , sent]) => ({ ...sent, what, appId: 'rubbish', status: 403 })),
    ...unreadable.flatMap(([what, , body]) => [
      { ...enveloped(seal(body, 'rubbish')), what, appId: 'rubbish', status: 200 },
      { query: signedQuery(), body, what: `${what}, plain`, appId: 'plain', status: 200 },
    ]),
    tooLarge('1 MiB of open tags', '<a>'.repeat(mebibyte / 3)),
    tooLarge('2 MiB of base64', JSON.stringify({ Encrypt: 'A'.repeat(2 * mebibyte) })),
  ];

  async function send({ what, appId, query, body, contentType, status }: Hostile): Promise<void> {
    const url = `${acme.apis[0]?.url}/v1/wechat/push/${appId}?${query}`;
    const headers = { 'content-type': contentType ?? 'text/xml' };
    const answered = fetch(url, { method: 'POST', headers, body }).then(async (answer) => {
      await answer.arrayBuffer();
      return answer.status;
    });
    // Who still writes when the answer is there is hung up on, and may not get to read it.
    const answer = await (status === 413 ? answered.catch(() => 413) : answered);
    expect([what, answer]).toEqual([what, status]);
  }

  /** So many at once and no more: what is sent must not fill the memory of who sends it. */
  async function sendAll(all: readonly Hostile[]): Promise<void> {
    const left = all.values();
    await Promise.all(
      Array.from({ length: atOnce }, async () => {
        for (const one of left) await send(one);
      }),
    );
  }

  async function highestWhile(work: Promise<unknown>): Promise<number> {
    const over = new AbortController();
    let highest = 0;
    const watch = async (): Promise<void> => {
      while (!over.signal.aborted) highest = Math.max(highest, await residentMebibytes());
    };
    await Promise.all([work.finally(() => over.abort()), watch()]);
    return Math.max(highest, await residentMebibytes());
  }

  it('are answered one by one in memory that does not grow', async () => {
    await sendAll(hostile);
    const before = await residentMebibytes();
    const large = hostile.filter(({ body }) => body.length > 30_000);
    const taken = large.reduce((sum, { body, status }) => sum + (status === 413 ? 0 : body.length), 0);
    const rounds = Math.ceil((1.5 * growthMaxMebibytes * mebibyte) / taken);
    expect(rounds * large.length).toBeLessThan(10_000);
    const often = await highestWhile(sendAll(Array.from({ length: rounds }, () => large).flat()));
    expect(often - before).toBeLessThan(growthMaxMebibytes);
    const url = `${acme.apis[0]?.url}/v1/wechat/push/plain?${signedQuery()}`;
    const endless = Promise.all(Array.from({ length: atOnce }, () => sendWithoutEnd(url, 8 * mebibyte)));
    const endlessly = await highestWhile(endless);
    expect(endlessly - before).toBeLessThan(growthMaxMebibytes);
  });
});
