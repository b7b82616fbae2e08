import { isRawDataGenuine, signRawData, signWithSession } from './signatures.js';

describe('the signature of rawData', () => {
  const rawData =
    '{"nickName":"Band","gender":1,"language":"zh_CN","city":"Guangzhou","province":"Guangdong","country":"CN","avatarUrl":"http://wx.qlogo.cn/mmopen/vi_32/1vZvI39NWFQ9XM4LtQpFrQJ1xlgZxx3w7bQxKARol6503Iuswjjn6nIGBiaycAjAtpujxyzYsrztuuICqIM5ibXQ/0"}';
  const sessionKey = 'HyVFkGl5F5OQWJZZaNzBBg==';
  const signature = '75e81ceda165f4ffa64f4068af58c64b8f54b88c';

  it("is WeChat's own in WeChat's sample", () => {
    expect(signRawData(rawData, sessionKey)).toBe(signature);
    expect(isRawDataGenuine({ rawData, sessionKey, signature })).toBe(true);
  });

  it.each([
    ['another text', { rawData: `${rawData} `, sessionKey, signature }],
    ['another session_key', { rawData, sessionKey: 'tiihtNczf5v6AKRyjwEUhQ==', signature }],
    ['a signature cut short', { rawData, sessionKey, signature: signature.slice(1) }],
    ['no signature', { rawData, sessionKey, signature: '' }],
  ])('is not that of %s', (_what, given) => {
    expect(isRawDataGenuine(given)).toBe(false);
  });
});

describe('the signature with a session', () => {
  const sessionKey = 'o0q0otL8aEzpcZL/FT9WsQ==';

  it("is WeChat's own in WeChat's sample", () => {
    expect(signWithSession('{"foo":"bar"}', sessionKey)).toBe(
      '654571f79995b2ce1e149e53c0a33dc39c0a74090db514261454e8dbe432aa0b',
    );
  });

  it('of the empty text is what checksession wants', () => {
    expect(signWithSession('', sessionKey)).toBe('46e043c5525c2d817c44be603d30837a808a1d930d038f6fdc3e62a201fed128');
  });
});
