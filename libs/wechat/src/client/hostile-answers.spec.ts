import { gzipSync } from 'node:zlib';
import { appId, FakeWechat, refusalOf } from './fake-wechat.fixture.js';
import type { Answerer } from './fake-wechat.fixture.js';

let fake: FakeWechat;
beforeAll(async () => {
  fake = await FakeWechat.open();
});
afterAll(() => fake.close());

const deep = '['.repeat(100_000) + ']'.repeat(100_000);
/** 50 MB of blanks in 50 KB. */
const bomb = gzipSync(Buffer.alloc(50 * 1024 * 1024, ' '));

const bytes =
  (body: Buffer): Answerer =>
  (_request, response) =>
    response.end(body);

const drip: Answerer = (_request, response) => {
  const timer = setInterval(() => response.write(' '), 10);
  response.on('close', () => clearInterval(timer));
};

const endless: Answerer = (_request, response) => {
  const more = (): void => {
    while (!response.destroyed && response.write(Buffer.alloc(65_536, ' ')));
    if (!response.destroyed) response.once('drain', more);
  };
  more();
};

const answers: readonly (readonly [string, Answerer, string])[] = [
  ['nests a hundred thousand lists', deep, 'the answer is not a JSON object'],
  ['nests them where the openId belongs', `{"openid":${deep},"session_key":"k"}`, 'openid of the answer is not an id'],
  [
    'is a compressed bomb',
    (_request, response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end(bomb),
    'the answer is too long',
  ],
  [
    'says it is compressed and is not',
    (_request, response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end('{"openid":"oA"}'),
    'cannot be reached',
  ],
  ['drips for ever', drip, 'did not answer in time'],
  ['never ends', endless, 'the answer is too long'],
  [
    'ends before its length',
    (_request, response) => {
      response.writeHead(200, { 'content-length': 1000 }).write('{');
      setImmediate(() => response.destroy());
    },
    'cannot be reached',
  ],
  ['is no HTTP', (request) => request.socket.end('garbage\r\n\r\n'), 'cannot be reached'],
  ['is UTF-16', bytes(Buffer.from('\uFEFF{"openid":"oA"}', 'utf16le')), 'the answer is not JSON'],
  ['is not UTF-8', bytes(Buffer.from([0x7b, 0xff, 0x7d])), 'the answer is not JSON'],
  ['hides its fields in a prototype', '{"__proto__":{"openid":"oA"},"session_key":"k"}', 'the answer lacks openid'],
  ['has a raw control character in the openId', '{"openid":"o\u0000A","session_key":"k"}', 'is not an id'],
  ['has a list as session_key', '{"openid":"oA","session_key":["k"]}', 'the answer lacks session_key'],
  ['has a fraction as errcode', '{"errcode":1.5}', 'errcode is not a number'],
  ['has an infinite errcode', '{"errcode":1e400}', 'errcode is not a number'],
];

describe('an answer that', () => {
  it.each(answers)('%s is a refusal like any other', async (_what, answer, detail) => {
    fake.answers(answer);
    const call = fake.client({ totalTimeoutMs: 2000 }).code2session({ appId, code: 'the-code' });
    const refusal = await refusalOf(call);
    expect(refusal).toMatchObject({ reaction: 'retry_later', errcode: null, sent: true });
    expect(refusal.detail).toContain(detail);
  });

  it('has an errmsg of a megabyte gives a short error', async () => {
    fake.answers({ errcode: 40029, errmsg: `rid: ${'a'.repeat(1024 * 1024)}` });
    const refusal = await refusalOf(fake.client().code2session({ appId, code: 'the-code' }));
    expect(refusal.message.length).toBeLessThan(1000);
    expect(refusal.rid?.length).toBe(64);
  });
});
