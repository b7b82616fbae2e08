import { encryptPush, signPush } from '../crypto/push-crypto.js';
import { safeModeSample } from '../crypto/official-vectors.fixture.js';
import { readPush, verifyUrl } from './read-push.js';
import type { PushRequest, PushSettings } from './read-push.js';

const { appId, token, encodingAesKey, timestamp, nonce, encrypt, msgSignature, message } = safeModeSample;
const nowMs = Number(timestamp) * 1000;
const signature = signPush(token, timestamp, nonce);
const safe: PushSettings = { token, encodingAesKey, mode: 'safe' };
const compatible: PushSettings = { ...safe, mode: 'compatible' };
const plain: PushSettings = { token, mode: 'plain' };
const safeQuery = { timestamp, nonce, signature, encrypt_type: 'aes', msg_signature: msgSignature };
const plainQuery = { timestamp, nonce, signature };
const envelope = JSON.stringify({ ToUserName: 'gh_97417a04a28d', Encrypt: encrypt });

function receive(change: Partial<PushRequest>) {
  return readPush({ query: safeQuery, body: envelope, settings: safe, appId, nowMs, ...change });
}

/** An envelope as WeChat would make it, around any text. */
function sealed(text: string, forApp: string = appId): Partial<PushRequest> {
  const made = encryptPush(text, { encodingAesKey, appId: forApp });
  return {
    body: JSON.stringify({ Encrypt: made }),
    query: { ...safeQuery, msg_signature: signPush(token, timestamp, nonce, made) },
  };
}

const refused = (reason: string) => ({ ok: false, refused: true, reason });

describe('a push in safe mode', () => {
  it("is read in WeChat's sample, in JSON and in XML", () => {
    const xml = `<xml><ToUserName><![CDATA[gh_97417a04a28d]]></ToUserName><Encrypt>\n <![CDATA[${encrypt}]]> </Encrypt></xml>`;
    for (const body of [envelope, xml, Buffer.from(xml)]) {
      const received = receive({ body });
      expect(received).toMatchObject({
        ok: true,
        message: { event: 'debug_demo', openId: 'o9AgO5Kd5ggOC-bXrbNODIiE3bGY', fields: { debug_str: 'hello world' } },
      });
      expect(received.ok && Buffer.from(received.body).toString()).toBe(message);
    }
  });

  it('is refused without Encrypt, even when the URL is signed', () => {
    expect(receive({ body: message })).toEqual(refused('not_encrypted'));
    expect(receive({ body: message, query: plainQuery })).toEqual(refused('not_encrypted'));
    expect(receive({ body: '{"Encrypt":""}' })).toEqual(refused('not_encrypted'));
  });

  it.each([
    ['Encrypt twice', `{"Encrypt":"${encrypt}","Encrypt":"x"}`],
    ['a list as Encrypt', `{"Encrypt":["${encrypt}"]}`],
    ['an object as Encrypt', `{"Encrypt":{"Encrypt":"${encrypt}"}}`],
    ['a DOCTYPE', `<!DOCTYPE a [<!ENTITY b "${encrypt}">]><xml><Encrypt>&b;</Encrypt></xml>`],
    ['no markup at all', 'garbage'],
    ['no UTF-8', Buffer.from(envelope, 'utf16le')],
    ['nothing', ''],
  ])('is refused as malformed with %s', (_what, body) => {
    expect(receive({ body })).toEqual(refused('malformed_envelope'));
  });

  it('is refused when only the plain signature is right, and the reason names which one is wrong', () => {
    expect(receive({ query: { ...safeQuery, msg_signature: signature } })).toEqual(refused('bad_msg_signature'));
    expect(receive({ query: plainQuery })).toEqual(refused('no_msg_signature'));
    expect(receive({ query: { ...safeQuery, msg_signature: '' } })).toEqual(refused('no_msg_signature'));
  });

  it('made for another app is refused', () => {
    expect(receive(sealed(message, 'wxother'))).toEqual(refused('foreign_app'));
    expect(receive(sealed(message, ''))).toEqual(refused('foreign_app'));
  });

  it('that was signed but not encrypted with the key is refused', () => {
    const query = { ...safeQuery, msg_signature: signPush(token, timestamp, nonce, 'AAAA') };
    expect(receive({ body: '{"Encrypt":"AAAA"}', query })).toEqual(refused('undecryptable'));
  });

  it.each(['garbage', '{}', '[1]', '<xml><!DOCTYPE a></xml>', '{"FromUserName":"oA"}'])(
    'that holds %s is kept as unreadable: WeChat did send it',
    (text) => {
      const received = receive(sealed(text));
      expect(received).toMatchObject({ ok: false, refused: false });
      expect('body' in received && Buffer.from(received.body).toString()).toBe(text);
    },
  );

  it('more than ten minutes off is refused, before or after', () => {
    for (const offMs of [-600_000, 600_000]) expect(receive({ nowMs: nowMs + offMs }).ok).toBe(true);
    for (const offMs of [-600_001, 600_001])
      expect(receive({ nowMs: nowMs + offMs })).toEqual(refused('stale_timestamp'));
  });

  it('with digits moved between nonce and timestamp is refused', () => {
    const moved = { ...safeQuery, timestamp: timestamp.slice(0, 9), nonce: `${timestamp.slice(9)}${nonce}` };
    expect(receive({ query: moved })).toEqual(refused('bad_query'));
  });

  it('without a key here is refused', () => {
    expect(receive({ settings: { token, mode: 'safe' } })).toEqual(refused('no_encoding_aes_key'));
  });
});

describe('a push in compatible mode', () => {
  it('is read from its encrypted copy only', () => {
    const body = JSON.stringify({ ...(JSON.parse(message) as object), FromUserName: 'oForged', Encrypt: encrypt });
    expect(receive({ body, settings: compatible })).toMatchObject({
      ok: true,
      message: { openId: 'o9AgO5Kd5ggOC-bXrbNODIiE3bGY' },
    });
  });

  it('is refused without the encrypted copy', () => {
    expect(receive({ body: message, settings: compatible, query: plainQuery })).toEqual(refused('not_encrypted'));
  });
});

describe('a push in plain mode', () => {
  it("is read under the signature of WeChat's sample", () => {
    const [at, signed] = ['1714037059', '899cf89e464efb63f54ddac96b0a0a235f53aa78'];
    const query = { timestamp: at, nonce: '486452656', signature: signed, openid: 'o9AgO5Kd5ggOC-bXrbNODIiE3bGY' };
    const given = { body: message, settings: plain, query, nowMs: Number(at) * 1000 };
    expect(receive(given)).toMatchObject({ ok: true, message: { event: 'debug_demo' } });
    expect(receive({ ...given, query: { ...query, nonce: '486452657' } })).toEqual(refused('bad_signature'));
  });

  it('is read when the URL is signed', () => {
    expect(receive({ body: message, settings: plain, query: plainQuery })).toMatchObject({ ok: true });
  });

  it('is refused when it is not', () => {
    const query = { ...plainQuery, signature: signature.replace(/^./, 'x') };
    expect(receive({ body: message, settings: plain, query })).toEqual(refused('bad_signature'));
    expect(receive({ body: message, settings: plain, query: { timestamp, nonce } })).toEqual(refused('bad_signature'));
  });

  it('without a token set is refused: everybody could sign', () => {
    const query = { timestamp, nonce, signature: signPush('', timestamp, nonce) };
    expect(receive({ body: message, settings: { token: '', mode: 'plain' }, query })).toEqual(refused('bad_signature'));
  });

  it('that is garbage is kept as unreadable', () => {
    expect(receive({ body: 'garbage', settings: plain, query: plainQuery })).toMatchObject({
      ok: false,
      refused: false,
    });
  });

  it('that comes encrypted is checked as such', () => {
    expect(receive({ settings: plain })).toEqual(refused('no_encoding_aes_key'));
    expect(receive({ settings: { ...plain, encodingAesKey } })).toMatchObject({ ok: true });
  });
});

describe('any push', () => {
  it.each([
    ['repeated_parameter', { timestamp: [timestamp, timestamp] }],
    ['repeated_parameter', { msg_signature: [msgSignature] }],
    ['repeated_parameter', { openid: ['oA', 'oB'] }],
    ['bad_query', { timestamp: undefined }],
    ['bad_query', { timestamp: '1e9' }],
    ['bad_query', { timestamp: ` ${timestamp}` }],
    ['bad_query', { nonce: undefined }],
    ['bad_query', { nonce: '' }],
    ['bad_query', { nonce: 'n'.repeat(129) }],
  ])('is refused as %s with %j', (reason, change) => {
    expect(receive({ query: { ...safeQuery, ...change } })).toEqual(refused(reason));
  });

  it('above 64 KiB is refused unread', () => {
    expect(receive({ body: Buffer.alloc(64 * 1024 + 1, 'a') })).toEqual(refused('too_large'));
  });

  it('in another charset is refused', () => {
    expect(receive({ contentType: 'text/xml; charset=gbk' })).toEqual(refused('wrong_charset'));
    expect(receive({ contentType: 'text/xml; charset="UTF-8"' }).ok).toBe(true);
    expect(receive({ contentType: 'application/json' }).ok).toBe(true);
  });
});

describe('the check of the push URL', () => {
  const query = {
    timestamp: '1714036504',
    nonce: '1514711492',
    signature: 'f464b24fc39322e44b38aa78f5edd27bd1441696',
    echostr: '4375120948345356249',
  };
  const atMs = 1714036504_000;

  it("echoes in WeChat's sample", () => {
    expect(verifyUrl(query, 'AAAAA', atMs)).toEqual({ ok: true, echostr: '4375120948345356249' });
  });

  it.each([
    ['bad_signature', { signature: 'f464b24fc39322e44b38aa78f5edd27bd1441697' }],
    ['bad_signature', { signature: undefined }],
    ['bad_query', { echostr: '<script>' }],
    ['bad_query', { echostr: undefined }],
    ['repeated_parameter', { echostr: ['1', '2'] }],
    ['repeated_parameter', { signature: ['1', '2'] }],
  ])('refuses as %s with %j', (reason, change) => {
    expect(verifyUrl({ ...query, ...change }, 'AAAAA', atMs)).toEqual({ ok: false, reason });
  });

  it('refuses an old one', () => {
    expect(verifyUrl(query, 'AAAAA', atMs + 600_001)).toEqual({ ok: false, reason: 'stale_timestamp' });
  });
});
