import { readAnswer, requestId } from './answer.js';

const read = (text: string) => readAnswer(Buffer.from(text));

describe('an answer of WeChat', () => {
  it('is an object without errcode, or with errcode 0', () => {
    expect(read('{"openid":"oA"}')).toMatchObject({ kind: 'object', errcode: 0, fields: { openid: 'oA' } });
    expect(read('{"errcode":0,"openid":"oA"}')).toMatchObject({ kind: 'object', errcode: 0 });
  });

  it('is a refusal when errcode is another number, also written as text', () => {
    expect(read('{"errcode":40163,"errmsg":"code been used"}')).toMatchObject({ errcode: 40163 });
    expect(read('{"errcode":"40029"}')).toMatchObject({ errcode: 40029 });
  });

  it.each(['', '  ', '{}', 'null', '[]', '1', '"text"', '<html></html>', '{"openid":', '{"errcode":"busy"}'])(
    'is unreadable when it is %j',
    (text) => {
      expect(read(text).kind).toBe('unreadable');
    },
  );

  it('is repaired once when a nickname holds raw control characters', () => {
    expect(read('{"nickname":"a\u0001\u001fb\nc","openid":"oA"}')).toMatchObject({ fields: { nickname: 'a  b c' } });
  });

  it('is read as UTF-8, with or without a byte order mark', () => {
    expect(read('\uFEFF{"nickname":"微信用户"}')).toMatchObject({ fields: { nickname: '微信用户' } });
  });
});

describe('the request id', () => {
  it.each([
    ['invalid code, rid: 65f1a2b3-1c2d3e4f-5a6b7c8d', '65f1a2b3-1c2d3e4f-5a6b7c8d'],
    ['invalid openid rid: 65a', '65a'],
    ['invalid credential, hints: [ req_id: Xy.12 ]', 'Xy.12'],
    ['invalid code, hint: [OpX8na0885ge25]', 'OpX8na0885ge25'],
    ['ok', null],
  ])('of %j is %j', (errmsg, rid) => {
    expect(requestId(errmsg)).toBe(rid);
  });
});
