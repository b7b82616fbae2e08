import { redactJson } from './redact.js';

const personal = {
  identities: [{ appId: 'a1', openId: 'o1' }],
  unionKeys: [{ openPlatformId: 'op1', unionId: 'u1' }],
};
const redacted = (value: unknown): unknown => JSON.parse(redactJson(JSON.stringify(value), personal));

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

  it('keeps the very text where nobody is named', () => {
    const json = '{ "b": 1.0, "a": null }';
    expect(redactJson(json, personal)).toBe(json);
  });
});
