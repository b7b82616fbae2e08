import { parseJsonPush } from './json-push.js';
import { PushUnreadable } from './push-fields.js';
import { parseXmlPush } from './xml-push.js';

function reasonOf(read: () => unknown): string {
  try {
    read();
  } catch (error) {
    if (error instanceof PushUnreadable) return error.reason;
    throw error;
  }
  return 'read';
}

describe('a push in XML', () => {
  it('gives every value as the text it was', () => {
    const text = `<?xml version="1.0" encoding="UTF-8"?>
      <xml><ToUserName><![CDATA[ gh_0123456789ab ]]></ToUserName><EventKey>00123</EventKey>
      <Content><![CDATA[1e5 < 2 & <!DOCTYPE x> ]]></Content><MsgId>6200000000000000001</MsgId>
      <Title>a &lt;b&gt; &amp;amp; &quot;c&quot; &apos;</Title><Empty/><None></None></xml>`;
    expect({ ...parseXmlPush(text) }).toEqual({
      ToUserName: 'gh_0123456789ab',
      EventKey: '00123',
      Content: '1e5 < 2 & <!DOCTYPE x>',
      MsgId: '6200000000000000001',
      Title: `a <b> &amp; "c" '`,
      Empty: '',
      None: '',
    });
  });

  it('reads one element as an object and several as a list, and the malformed tag of WeChat’s own sample', () => {
    const text = '<xml>< OpenPID>G7</OpenPID><L><I><A>1</A></I><I><A>2</A></I></L></xml>';
    expect(JSON.parse(JSON.stringify(parseXmlPush(text)))).toEqual({
      OpenPID: 'G7',
      L: { I: [{ A: '1' }, { A: '2' }] },
    });
  });

  it('joins CDATA that was cut in two around its own end', () => {
    expect(parseXmlPush('<xml><C><![CDATA[a]]]]><![CDATA[>b]]></C></xml>')['C']).toBe('a]]>b');
  });

  it.each([
    ['a DOCTYPE', '<!DOCTYPE xml [<!ENTITY a "aaaa">]><xml><A>1</A></xml>'],
    ['a DOCTYPE inside', '<xml><!DOCTYPE x><A>1</A></xml>'],
    ['an entity of its own', '<xml><A>&a;</A></xml>'],
    ['a character reference', '<xml><A>&#65;</A></xml>'],
    ['a bare ampersand', '<xml><A>a & b</A></xml>'],
    ['a comment', '<xml><!-- x --><A>1</A></xml>'],
    ['a processing instruction', '<xml><?php ?><A>1</A></xml>'],
    ['an attribute', '<xml><A b="c">1</A></xml>'],
    ['no end', '<xml><A>1</A>'],
    ['another end', '<xml><A>1</B></xml>'],
    ['an open CDATA', '<xml><A><![CDATA[1</A></xml>'],
    ['text beside elements', '<xml>text<A>1</A></xml>'],
    ['something behind', '<xml><A>1</A></xml><xml/>'],
    ['another root', '<html><A>1</A></html>'],
    ['nothing inside', '<xml></xml>'],
    ['an empty root', '<xml/>'],
  ])('with %s is malformed', (_what, text) => {
    expect(reasonOf(() => parseXmlPush(text))).toBe('malformed');
  });

  it('nested too deep is refused', () => {
    const depth = 20_000;
    const text = `<xml>${'<a>'.repeat(depth)}1${'</a>'.repeat(depth)}</xml>`;
    expect(reasonOf(() => parseXmlPush(text))).toBe('too_deep');
  });

  it('with an identity field twice is refused', () => {
    const text = '<xml><OpenID>oA</OpenID><OpenID>oB</OpenID></xml>';
    expect(reasonOf(() => parseXmlPush(text))).toBe('repeated_field');
  });
});

describe('a push in JSON', () => {
  it('gives every value as the text it was', () => {
    const text = `{"MsgId": 6200000000000000001, "CreateTime":1700000000, "EventKey":"00123", "N":1e5,
      " OpenID": " oA ", "B":true, "Z":null, "L":[1,{"a":"\\u4f60\\n\\"x"}], "O":{}, "E":[]}`;
    expect(JSON.parse(JSON.stringify(parseJsonPush(text)))).toEqual({
      MsgId: '6200000000000000001',
      CreateTime: '1700000000',
      EventKey: '00123',
      N: '1e5',
      OpenID: 'oA',
      B: 'true',
      Z: '',
      L: ['1', { a: '你\n"x' }],
      O: {},
      E: [],
    });
  });

  it('reads what JSON.parse reads, apart from its numbers', () => {
    const value = { a: ['x', { b: 'x\u2028 \\ / "' }], c: '', d: { e: '😀' } };
    expect(JSON.parse(JSON.stringify(parseJsonPush(JSON.stringify(value, null, 2))))).toEqual(value);
  });

  it('keeps a field called __proto__ an ordinary field', () => {
    const fields = parseJsonPush('{"__proto__":{"polluted":"yes"}}');
    expect(Object.keys(fields)).toEqual(['__proto__']);
    expect(Reflect.get({}, 'polluted')).toBeUndefined();
  });

  it.each([
    '',
    ' ',
    '[]',
    '"x"',
    '1',
    '{',
    '{"a"}',
    '{"a":}',
    '{"a":1,}',
    '{a:1}',
    '{"a":01}',
    '{"a":1}}',
    '{"a":"\\x"}',
    '{"a":"b',
    '{"a":NaN}',
    "{'a':1}",
    '{"a":1 "b":2}',
    '{,}',
  ])('that is %j is malformed', (text) => {
    expect(reasonOf(() => parseJsonPush(text))).toBe('malformed');
  });

  it('nested too deep is refused', () => {
    expect(reasonOf(() => parseJsonPush(`{"a":${'['.repeat(20_000)}`))).toBe('too_deep');
  });

  it('with an identity field twice is refused, also where blanks hide it', () => {
    expect(reasonOf(() => parseJsonPush('{"OpenID":"oA","OpenID":"oB"}'))).toBe('repeated_field');
    expect(reasonOf(() => parseJsonPush('{"OpenID":"oA"," OpenID":"oB"}'))).toBe('repeated_field');
  });
});
