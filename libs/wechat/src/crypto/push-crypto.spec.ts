import { decryptPush, encryptPush, isEncodingAesKey, signPush } from './push-crypto.js';
import { safeModeSample } from './official-vectors.fixture.js';

const { appId, token, encodingAesKey, timestamp, nonce, encrypt, msgSignature, random, message } = safeModeSample;
const key = { encodingAesKey, appId };

describe('the signature of a push', () => {
  it.each([
    ["WeChat's URL check", 'AAAAA', ['1714036504', '1514711492'], 'f464b24fc39322e44b38aa78f5edd27bd1441696'],
    ["WeChat's plain post", 'AAAAA', ['1714037059', '486452656'], '899cf89e464efb63f54ddac96b0a0a235f53aa78'],
    ["WeChat's safe post", token, [timestamp, nonce, encrypt], msgSignature],
    [
      "WeChat's reply",
      'AAAAA',
      [
        '1713424427',
        '415670741',
        'ELGduP2YcVatjqIS+eZbp80MNLoAUWvzzyJxgGzxZO/5sAvd070Bs6qrLARC9nVHm48Y4hyRbtzve1L32tmxSQ==',
      ],
      '1b9339964ed2e271e7c7b6ff2b0ef902fc94dea1',
    ],
    ["wechatpy's test", 'test', ['1410685589', 'test'], 'f21891de399b4e33a1a93c9a7b8a8fffb5a443ff'],
    ["chanxuehong's test", 'token1234567890', ['1458864389', '2066297436'], 'f9c725922f6844701ba71e98031978e40023c09f'],
    [
      "node-webot's test",
      'RMNlACHlV5ThzfRlVS4D4',
      ['timestamp', 'nonce', 'encrypt'],
      '8edac0945683c119ee71c9f6256d76c48aa08a96',
    ],
  ])('is right for %s, in any order', (_source, secret, parts, signature) => {
    expect(signPush(secret, ...parts)).toBe(signature);
    expect(signPush(secret, ...parts.toReversed())).toBe(signature);
  });
});

describe('an encrypted push', () => {
  it("decrypts WeChat's safe-mode sample", () => {
    const decrypted = decryptPush(encrypt, key);
    expect(decrypted.ok && decrypted.message.toString()).toBe(message);
    expect(Buffer.byteLength(message)).toBe(167);
  });

  it.each([
    ["WeChat's safe-mode sample", key, random, message, encrypt],
    [
      "WeChat's reply sample",
      key,
      '707722b803182950',
      '{"demo_resp":"good luck"}',
      'ELGduP2YcVatjqIS+eZbp80MNLoAUWvzzyJxgGzxZO/5sAvd070Bs6qrLARC9nVHm48Y4hyRbtzve1L32tmxSQ==',
    ],
    [
      "Tencent's Java demo",
      { encodingAesKey: 'abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG', appId: 'wxb11529c136998cb6' },
      'aaaabbbbccccdddd',
      '我是中文abcd123',
      'jn1L23DB+6ELqJ+6bruv21Y6MD7KeIfP82D6gU39rmkgczbWwt5+3bnyg5K55bgVtVzd832WzZGMhkP72vVOfg==',
    ],
  ])('is byte for byte %s, in both directions', (_source, secret, seed, text, expected) => {
    expect(encryptPush(text, secret, Buffer.from(seed))).toBe(expected);
    const decrypted = decryptPush(expected, secret);
    expect(decrypted.ok && decrypted.message.toString()).toBe(text);
  });

  it('survives every length of padding, 1 to 32', () => {
    for (let length = 0; length < 70; length += 1) {
      const text = 'x'.repeat(length);
      const decrypted = decryptPush(encryptPush(text, key), key);
      expect(decrypted.ok && decrypted.message.toString()).toBe(text);
    }
  });

  it('takes a key that is not canonical base64', () => {
    const spare = { appId, encodingAesKey: `${'A'.repeat(42)}B` };
    expect(decryptPush(encryptPush('hello', spare), spare)).toMatchObject({ ok: true });
  });

  it.each(['', 'wxother', `${appId}x`, appId.slice(0, -1)])('made for %j is not for this app', (other) => {
    const made = encryptPush(message, { encodingAesKey, appId: other });
    expect(decryptPush(made, key)).toEqual({ ok: false, reason: 'foreign_app' });
  });

  it.each(['', 'AAAA', '!!!!', encrypt.slice(0, -4), encrypt.replaceAll('+', ' ')])('%j is malformed', (text) => {
    expect(decryptPush(text, key)).toEqual({ ok: false, reason: 'malformed' });
  });

  it('changed in its length or its padding is refused', () => {
    // CBC carries a changed byte of one block into the same place of the next block's plaintext.
    for (const position of [0, Buffer.from(encrypt, 'base64').length - 17]) {
      const changed = Buffer.from(encrypt, 'base64');
      changed.writeUInt8((changed[position] ?? 0) ^ 0x80, position);
      expect(decryptPush(changed.toString('base64'), key)).toEqual({ ok: false, reason: 'undecryptable' });
    }
  });

  it.each([32, 96, 4096])('%d bytes of zeros are refused without an exception', (length) => {
    expect(decryptPush(Buffer.alloc(length).toString('base64'), key).ok).toBe(false);
  });
});

describe('an EncodingAESKey', () => {
  it('is 43 letters and digits, whatever their spare bits', () => {
    expect(isEncodingAesKey(`${'z'.repeat(42)}9`)).toBe(true);
    for (const wrong of ['', 'A'.repeat(42), 'A'.repeat(44), `${'A'.repeat(42)}=`, `${'A'.repeat(42)}+`]) {
      expect(isEncodingAesKey(wrong)).toBe(false);
    }
  });
});
