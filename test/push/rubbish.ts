import { createCipheriv, createHash, randomBytes } from 'node:crypto';

/** Pushes that are forged, broken or bent, made without the code that reads them. */

export const pushToken = 'token-of-rubbish';
export const pushKey = 'abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG';

export interface Sent {
  readonly query: string;
  readonly body: string | Uint8Array;
  readonly contentType?: string;
}

export const seconds = (offset = 0): string => String(Math.floor(Date.now() / 1000) + offset);
const digest = (...words: string[]): string => createHash('sha1').update(words.toSorted().join('')).digest('hex');

interface Envelope {
  readonly timestamp?: string;
  readonly nonce?: string;
}

/** As WeChat signs in plain mode: the URL alone. */
export function signedQuery({ timestamp = seconds(), nonce = 'n' }: Envelope = {}): string {
  const signature = digest(pushToken, timestamp, nonce);
  return new URLSearchParams({ signature, timestamp, nonce }).toString();
}

/** Around any bytes, with any padding and any length written in front. */
export function seal(
  content: Uint8Array | string,
  appId: string,
  bent: { pad?: number[]; length?: number } = {},
): string {
  const message = Buffer.from(content);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bent.length ?? message.length);
  const plain = Buffer.concat([randomBytes(16), length, message, Buffer.from(appId)]);
  const missing = 32 - (plain.length % 32);
  const key = Buffer.from(`${pushKey}=`, 'base64');
  const cipher = createCipheriv('aes-256-cbc', key, key.subarray(0, 16)).setAutoPadding(false);
  const end = bent.pad ?? [];
  const pad = Buffer.concat([Buffer.alloc(missing, missing).subarray(0, missing - end.length), Buffer.from(end)]);
  return Buffer.concat([cipher.update(Buffer.concat([plain, pad])), cipher.final()]).toString('base64');
}

/** The envelope of safe mode around `encrypt`, signed for whatever that is. */
export function enveloped(encrypt: string, { timestamp = seconds(), nonce = 'n' }: Envelope = {}): Sent {
  const signature = digest(pushToken, timestamp, nonce, encrypt);
  const query = `${signedQuery({ timestamp, nonce })}&encrypt_type=aes&msg_signature=${signature}`;
  return { query, body: JSON.stringify({ Encrypt: encrypt }) };
}

export const eventOf = (openId: string, event = 'subscribe', createTime = seconds()): string =>
  `<xml><FromUserName>${openId}</FromUserName><CreateTime>${createTime}</CreateTime><MsgType>event</MsgType><Event>${event}</Event></xml>`;

const fill = (pattern: string): string => pattern.repeat(Math.floor(60_000 / pattern.length));
const laughs = Array.from({ length: 9 }, (_, level) => `<!ENTITY l${level + 1} "${`&l${level};`.repeat(10)}">`).join(
  '',
);
const utf16 = (text: string, littleEndian: boolean): Buffer => {
  const bytes = Buffer.from(`\uFEFF${text}`, 'utf16le');
  return littleEndian ? bytes : bytes.swap16();
};

/** Nobody who is WeChat can have sent these. `reason` is what the answer says. */
export function refusedPushes(appId: string): readonly (readonly [what: string, reason: string, sent: Sent])[] {
  const encrypt = seal(eventOf('oForged'), appId);
  const good = enveloped(encrypt);
  const asked = (change: (query: string) => string): Sent => ({ ...good, query: change(good.query) });
  const signature = (change: (hex: string) => string): Sent =>
    asked((query) => query.replace(/msg_signature=(.*)$/, (_all, hex: string) => `msg_signature=${change(hex)}`));
  const wrapped = (body: Sent['body']): Sent => ({ ...good, body });
  return [
    ...['timestamp', 'nonce', 'signature', 'msg_signature', 'encrypt_type', 'openid'].map(
      (name) => [`${name} twice`, 'repeated_parameter', asked((query) => `${query}&${name}=1&${name}=2`)] as const,
    ),
    ['parameters in brackets', 'bad_query', asked((query) => query.replace('timestamp=', 'timestamp[]='))],
    ['no query', 'bad_query', asked(() => '')],
    ...[
      '',
      '1',
      seconds().slice(1),
      `${seconds()}0`,
      `${seconds()}000`,
      `+${seconds()}`,
      '1e9',
      '１７００００００００',
    ].map((timestamp) => [`the timestamp "${timestamp}"`, 'bad_query', enveloped(encrypt, { timestamp })] as const),
    ...['', 'n'.repeat(129), 'a b', 'a\0b', 'a\nb', '你'].map(
      (nonce) =>
        [`the nonce ${JSON.stringify(nonce).slice(0, 12)}`, 'bad_query', enveloped(encrypt, { nonce })] as const,
    ),
    ['a msg_signature cut short', 'bad_msg_signature', signature((hex) => hex.slice(1))],
    ['a msg_signature too long', 'bad_msg_signature', signature((hex) => `${hex}0`)],
    ['a msg_signature of 8,000 letters', 'bad_msg_signature', signature((hex) => hex.repeat(200))],
    ['a msg_signature in capitals', 'bad_msg_signature', signature((hex) => hex.toUpperCase())],
    ['a msg_signature that is no ASCII', 'bad_msg_signature', signature(() => '%E4%BD%A0'.repeat(13))],
    ['an empty msg_signature', 'no_msg_signature', signature(() => '')],
    ['the signature of the URL alone', 'no_msg_signature', { ...good, query: signedQuery() }],
    [
      'another body under a signature that was good',
      'bad_msg_signature',
      wrapped(enveloped(seal(eventOf('oB'), appId)).body),
    ],
    ['a push of ten minutes ago, sent again', 'stale_timestamp', enveloped(encrypt, { timestamp: seconds(-602) })],
    ['a push of the future', 'stale_timestamp', enveloped(encrypt, { timestamp: seconds(900) })],
    ['a push of another app with the same keys', 'foreign_app', enveloped(seal(eventOf('oA'), `${appId}2`))],
    ['a push for no app', 'foreign_app', enveloped(seal(eventOf('oA'), ''))],
    ['a length of 4 GiB', 'undecryptable', enveloped(seal('x', appId, { length: 0xffff_ffff }))],
    ['a length that cuts the message', 'foreign_app', enveloped(seal('{"a":1}', appId, { length: 3 }))],
    ['padding of 0', 'undecryptable', enveloped(seal('x', appId, { pad: [0] }))],
    ['padding of 33', 'undecryptable', enveloped(seal('x', appId, { pad: [33] }))],
    ['padding that is not all the same', 'undecryptable', enveloped(seal('x', appId, { pad: [7, 2] }))],
    ['half a block', 'undecryptable', enveloped(encrypt.slice(0, 32))],
    ['base64 for URLs', 'undecryptable', enveloped(`${encrypt.slice(0, 40)}-_${encrypt.slice(42)}`)],
    ['base64 whose + became blanks', 'undecryptable', enveloped(`${encrypt.slice(0, 41)} ${encrypt.slice(42)}`)],
    ['no Encrypt', 'not_encrypted', wrapped(eventOf('oForged'))],
    ['an Encrypt that is a list', 'malformed_envelope', wrapped(JSON.stringify({ Encrypt: [encrypt] }))],
    ['two Encrypts', 'malformed_envelope', wrapped(`{"Encrypt":"${encrypt}","Encrypt":"${encrypt}"}`)],
    [
      'an entity',
      'malformed_envelope',
      wrapped(`<!DOCTYPE x [<!ENTITY e "${encrypt}">]><xml><Encrypt>&e;</Encrypt></xml>`),
    ],
    [
      'entities that multiply',
      'malformed_envelope',
      wrapped(`<!DOCTYPE x [${laughs}]><xml><Encrypt>&l9;</Encrypt></xml>`),
    ],
    ['nothing but open tags', 'malformed_envelope', wrapped(`<xml>${fill('<a>')}`)],
    ['nothing but open brackets', 'malformed_envelope', wrapped(`{"Encrypt":${fill('[')}`)],
    ['an empty body', 'malformed_envelope', wrapped('')],
    ['zeros', 'malformed_envelope', wrapped(Buffer.alloc(60_000))],
    ['the charset GBK', 'wrong_charset', { ...good, contentType: 'text/xml; charset=GBK' }],
    ['the charset UTF-16', 'wrong_charset', { ...good, contentType: 'application/json; charset="utf-16"' }],
    ['UTF-16, low byte first', 'malformed_envelope', wrapped(utf16(`{"Encrypt":"${encrypt}"}`, true))],
    ['UTF-16, high byte first', 'malformed_envelope', wrapped(utf16(`{"Encrypt":"${encrypt}"}`, false))],
    ['GBK bytes', 'malformed_envelope', wrapped(Buffer.from(`{"a":"\xc4\xe3","Encrypt":"${encrypt}"}`, 'latin1'))],
    ['half a surrogate pair in bytes', 'malformed_envelope', wrapped(Buffer.from(`{"a":"\xed\xa0\x80"}`, 'latin1'))],
    ['a slash written too long', 'malformed_envelope', wrapped(Buffer.from('{"a":"\xc0\xaf"}', 'latin1'))],
  ];
}

/** WeChat signed for these, and nobody can read them. */
export const unreadable: readonly (readonly [what: string, reason: string, body: string | Uint8Array])[] = [
  ['nothing', 'malformed', ''],
  ['half of JSON', 'malformed', '{"half":'],
  ['tags that cross', 'malformed', '<xml><a><b></a></xml>'],
  ['an entity', 'malformed', '<!DOCTYPE x [<!ENTITY a "b">]><xml>&a;</xml>'],
  ['entities that multiply', 'malformed', `<!DOCTYPE x [${laughs}]><xml><A>&l9;</A></xml>`],
  ['a file as an entity', 'malformed', '<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]><xml><A>&f;</A></xml>'],
  ['elements too deep', 'too_deep', `<xml>${'<a>'.repeat(9_000)}1${'</a>'.repeat(9_000)}</xml>`.slice(0, 47_000)],
  ['lists too deep', 'too_deep', `{"a":${'['.repeat(40_000)}`],
  ['too many fields', 'too_many_fields', `{"a":[${fill('1,').slice(0, 40_000)}1]}`],
  ['two people', 'repeated_field', eventOf('oA</FromUserName><FromUserName>oB')],
  ['a person who is no id', 'incomplete', eventOf('o A')],
  ['half a surrogate pair as the person', 'incomplete', '{"FromUserName":"o\\ud800","CreateTime":1,"MsgType":"text"}'],
  ['a time that is none', 'incomplete', eventOf('oA', 'subscribe', '-1')],
  ['GBK', 'not_utf8', Buffer.from(eventOf('oA', '\xc4\xe3\xba\xc3'), 'latin1')],
  ['UTF-16', 'not_utf8', utf16(eventOf('oA'), true)],
];
