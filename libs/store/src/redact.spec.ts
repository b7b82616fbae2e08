import { redactJson, redactText } from './redact.js';

const personal = {
  identities: [{ appId: 'a1', openId: 'o1' }],
  unionKeys: [{ openPlatformId: 'op1', unionId: 'u1' }],
};
const cut = (text: string): string => text.slice(0, 3);
const redacted = (value: unknown): unknown => JSON.parse(redactJson(JSON.stringify(value), personal, cut));

describe('Redacting what is told of others', () => {
  it('takes the ids of the person, wherever they stand', () => {
    const told = {
      n: [{ appId: 'a1', openId: 'o1', at: 1 }],
      k: { openPlatformId: 'op1', unionId: 'u1' },
      oldOpenId: 'o1',
    };
    expect(redacted(told)).toEqual({
      n: [{ appId: 'a1', openId: 'erased', at: 1 }],
      k: { openPlatformId: 'op1', unionId: 'erased' },
      oldOpenId: 'erased',
    });
  });

  it('leaves the same text in another app or account, which is somebody else', () => {
    const told = [
      { appId: 'a2', openId: 'o1' },
      { openPlatformId: 'op2', unionId: 'u1' },
      { appId: 'a1', openId: 'o12' },
    ];
    expect(redacted(told)).toEqual(told);
  });

  it('leaves of a reason what the caller leaves of it, at whatever depth', () => {
    expect(redacted({ a: [{ reason: 'long', reasons: 'long' }], reason: null })).toEqual({
      a: [{ reason: 'lon', reasons: 'long' }],
      reason: null,
    });
  });

  it('takes ids out of a text: long ones anywhere, short ones as whole words', () => {
    const ids = ['o1', 'oLonger-1', 'oLonger-12', 'o-2'];
    expect(redactText('o1, (o1) o12 oLonger-12 xoLonger-1_ o-2 o-', ids)).toBe(
      'erased, (erased) o12 erased xerased_ erased o-',
    );
  });

  it('keeps the very text where nobody is named', () => {
    const json = '{ "b": 1.0, "a": null }';
    expect(redactJson(json, personal, cut)).toBe(json);
  });
});
