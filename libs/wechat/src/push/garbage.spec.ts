import fc from 'fast-check';
import { encryptPush, signPush } from '../crypto/push-crypto.js';
import { safeModeSample } from '../crypto/official-vectors.fixture.js';
import { pushBodyMaxBytes, readPush } from './read-push.js';
import type { PushQuery } from './read-push.js';

const { appId, token, encodingAesKey, timestamp, nonce } = safeModeSample;
const nowMs = Number(timestamp) * 1000;
const signature = signPush(token, timestamp, nonce);
const settings = { plain: { token, mode: 'plain' }, safe: { token, encodingAesKey, mode: 'safe' } } as const;

function plain(body: Uint8Array | string) {
  return readPush({ query: { timestamp, nonce, signature }, body, settings: settings.plain, appId, nowMs });
}

function safe(body: Uint8Array | string, query: PushQuery = {}) {
  return readPush({ query: { timestamp, nonce, signature, ...query }, body, settings: settings.safe, appId, nowMs });
}

function sealed(text: string) {
  const Encrypt = encryptPush(text, { encodingAesKey, appId });
  return safe(JSON.stringify({ Encrypt }), { msg_signature: signPush(token, timestamp, nonce, Encrypt) });
}

const markup = fc
  .array(
    fc.constantFrom(
      ...'<xml> </xml> <a> </a> <a/> < > <![CDATA[ ]]> &amp; & <!DOCTYPE <?xml?> 1e5 null true'.split(' '),
      ...'{ } [ ] " \\ , : - x \n \0 é'.split(' '),
      ' ',
      '\ud800',
    ),
    { maxLength: 40 },
  )
  .map((parts) => parts.join(''));

const filler = (pattern: string) => pattern.repeat(Math.floor((pushBodyMaxBytes - 100) / pattern.length));

describe('whatever is sent', () => {
  it('is answered with a verdict and never with an exception', () => {
    fc.assert(
      fc.property(fc.oneof(markup, fc.string({ unit: 'binary' })), (text) => {
        for (const verdict of [plain(text), safe(text), sealed(text)]) expect(verdict.ok).toBe(false);
      }),
    );
  });

  it('as bytes is answered with a verdict and never with an exception', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        for (const verdict of [plain(bytes), safe(bytes)]) expect(verdict.ok).toBe(false);
      }),
    );
  });

  it('as a query is answered with a verdict and never with an exception', () => {
    const parameters = ['timestamp', 'nonce', 'signature', 'msg_signature', 'encrypt_type', 'openid'];
    const query = fc.dictionary(fc.constantFrom(...parameters), fc.anything());
    fc.assert(
      fc.property(query, (given) => {
        expect(safe('{"Encrypt":"AAAA"}', given)).toMatchObject({ ok: false, refused: true });
      }),
    );
  });

  it('with any bit of a genuine envelope flipped is refused', () => {
    const Encrypt = encryptPush('{"FromUserName":"oA"}', { encodingAesKey, appId });
    const envelope = Buffer.from(JSON.stringify({ Encrypt }));
    const msg_signature = signPush(token, timestamp, nonce, Encrypt);
    const at = envelope.indexOf(Encrypt);
    fc.assert(
      fc.property(
        fc.integer({ min: at, max: at + Encrypt.length - 1 }),
        fc.integer({ min: 0, max: 7 }),
        (byte, bit) => {
          const bent = Buffer.from(envelope);
          bent.writeUInt8((bent[byte] ?? 0) ^ (1 << bit), byte);
          expect(safe(bent, { msg_signature })).toMatchObject({ ok: false, refused: true });
        },
      ),
    );
  });
});

describe('a body made to hurt', () => {
  const laughs = Array.from({ length: 9 }, (_, level) => `<!ENTITY l${level + 1} "${`&l${level};`.repeat(10)}">`);

  it.each([
    ['entities that multiply', `<!DOCTYPE x [<!ENTITY l0 "ha">${laughs.join('')}]><xml><A>&l9;</A></xml>`],
    ['an entity from a file', '<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]><xml><A>&f;</A></xml>'],
    ['a parameter entity', '<!DOCTYPE x [<!ENTITY % p SYSTEM "http://127.0.0.1:9/">%p;]><xml><A>1</A></xml>'],
    ['nothing but open tags', `<xml>${filler('<a>')}`],
    ['nothing but closing tags', `<xml>${filler('</a>')}`],
    ['one endless tag', `<xml><${filler('a')}`],
    ['a tag of blanks', `<${filler(' ')}`],
    ['CDATA without an end', `<xml><a>${filler('<![CDATA[')}`],
    ['ampersands', `<xml><a>${filler('&')}</a></xml>`],
    ['open brackets', `{"a":${filler('[')}`],
    ['open braces', filler('{"a":')],
    ['an endless text', `{"a":"${filler('\\\\')}`],
    ['an endless number', `{"a":${filler('1')}`],
    ['commas', `{"a":[${filler(',')}]}`],
    ['blanks', filler(' ')],
  ])('with %s is settled at once', (_what, body) => {
    const startedAt = performance.now();
    // Base64 makes a third more of it.
    const verdicts = [plain(body), sealed(body.slice(0, pushBodyMaxBytes / 2))];
    for (const verdict of verdicts) expect(verdict).toMatchObject({ ok: false, refused: false });
    expect(safe(body)).toMatchObject({ ok: false, refused: true });
    expect(performance.now() - startedAt).toBeLessThan(1000);
  });

  it.each([64 * 1024 + 1, 8 * 1024 * 1024])('of %d bytes is refused unread', (size) => {
    const body = Buffer.alloc(size, '<');
    for (const verdict of [plain(body), safe(body)]) expect(verdict).toMatchObject({ reason: 'too_large' });
  });

  it('with ten thousand fields is given up after a thousand', () => {
    const fields = '<FromUserName>oA</FromUserName><CreateTime>1</CreateTime><MsgType>x</MsgType>';
    expect(plain(`<xml>${fields}${'<a/>'.repeat(997)}</xml>`)).toMatchObject({ ok: true });
    expect(plain(`<xml>${fields}${'<a/>'.repeat(998)}</xml>`)).toMatchObject({ reason: 'too_many_fields' });
    expect(plain(`{"a":[${'1,'.repeat(10_000)}1]}`)).toMatchObject({ refused: false, reason: 'too_many_fields' });
  });

  it('leaves no memory behind', () => {
    const body = `<xml>${`<a>${'1'.repeat(60)}</a>`.repeat(900)}</xml>`;
    const rounds = (count: number) => {
      for (let round = 0; round < count; round += 1) plain(body);
    };
    rounds(50);
    const before = process.memoryUsage().heapTotal;
    rounds(300);
    // 300 bodies are 18 MB of text and several times that as fields.
    expect(process.memoryUsage().heapTotal - before).toBeLessThan(32 * 1024 * 1024);
  });
});
