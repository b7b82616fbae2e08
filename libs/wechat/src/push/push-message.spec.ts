import { dedupeKeyOf, readPushMessage } from './push-message.js';
import type { DedupeFacts, PushMessage } from './push-message.js';

const appId = 'wx1234567890abcdef';
const person = 'oAbCdE0000000000000000000001';

const subscribe = `<xml><ToUserName><![CDATA[gh_0123456789ab]]></ToUserName>
<FromUserName><![CDATA[${person}]]></FromUserName>
<CreateTime>1700000000</CreateTime>
<MsgType><![CDATA[event]]></MsgType>
<Event><![CDATA[subscribe]]></Event>
<EventKey><![CDATA[qrscene_order_42]]></EventKey>
<Ticket><![CDATA[gQH_example]]></Ticket></xml>`;

const revoke = {
  ToUserName: 'gh_0123456789ab',
  FromUserName: 'oAbCdEplatformplatformplatfo',
  CreateTime: 1700000001,
  MsgType: 'event',
  Event: 'user_authorization_revoke',
  OpenID: person,
  AppID: appId,
  RevokeInfo: '6',
};

function read(body: object | string): PushMessage {
  const reading = readPushMessage(Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)), appId);
  if (!reading.ok) throw new Error(reading.reason);
  return reading.message;
}

function reasonOf(body: object | string | Buffer): string {
  const text = typeof body === 'object' && !Buffer.isBuffer(body) ? JSON.stringify(body) : body;
  const reading = readPushMessage(Buffer.from(text), appId);
  return reading.ok ? 'read' : reading.reason;
}

describe('a push message', () => {
  it('of a follow names the follower', () => {
    expect(read(subscribe)).toMatchObject({
      appId,
      msgType: 'event',
      event: 'subscribe',
      openId: person,
      unionId: null,
      createTimeSeconds: 1700000000,
      eventKey: 'qrscene_order_42',
      msgId: null,
    });
  });

  it('of an unfollow has an empty EventKey', () => {
    const text = subscribe
      .replace('subscribe', 'unsubscribe')
      .replace('qrscene_order_42', '')
      .replace(/<Ticket>.*<\/Ticket>/, '');
    expect(read(text)).toMatchObject({ event: 'unsubscribe', eventKey: null });
  });

  it('of a scan has the bare scene, kept as text', () => {
    const text = subscribe.replace('subscribe', 'SCAN').replace('qrscene_order_42', '00123');
    expect(read(text)).toMatchObject({ event: 'scan', eventKey: '00123' });
  });

  it.each(['user_authorization_revoke', 'user_authorization_cancellation', 'user_info_modified'])(
    'of %s is about the OpenID, not about its sender',
    (event) => {
      expect(read({ ...revoke, Event: event })).toMatchObject({ event, openId: person, revokeInfo: '6' });
      expect(reasonOf({ ...revoke, Event: event, OpenID: undefined })).toBe('incomplete');
      expect(reasonOf({ ...revoke, Event: event, OpenID: '' })).toBe('incomplete');
    },
  );

  it('is the same event however WeChat capitalises it', () => {
    const { msgType, event, dedupeKey } = read({ ...revoke, MsgType: 'Event', Event: 'User_Authorization_Revoke' });
    expect([msgType, event, dedupeKey]).toEqual(['event', 'user_authorization_revoke', read(revoke).dedupeKey]);
  });

  it('of a plugin names it, and leaves the person who is only known there alone', () => {
    const text = JSON.stringify({ ...revoke, PluginID: 'wx123', OpenPID: ' G7' }).replace('"OpenID"', '" OpenID"');
    expect(read(text)).toMatchObject({ openId: person, pluginId: 'wx123', fields: { OpenPID: 'G7' } });
  });

  it('brings a unionId under either spelling, and must not contradict itself', () => {
    expect(read({ ...revoke, UnionID: ' oU1 ' }).unionId).toBe('oU1');
    expect(read({ ...revoke, Event: 'user_get_card', UnionId: 'oU1' })).toMatchObject({ unionId: 'oU1' });
    expect(read({ ...revoke, UnionID: 'oU1', UnionId: 'oU1' }).unionId).toBe('oU1');
    expect(read({ ...revoke, UnionID: '' }).unionId).toBeNull();
    expect(reasonOf({ ...revoke, UnionID: 'oU1', UnionId: 'oU2' })).toBe('repeated_field');
  });

  it('takes CreateTime as number or text', () => {
    expect(read({ ...revoke, CreateTime: '1700000001' }).createTimeSeconds).toBe(1700000001);
    for (const CreateTime of ['soon', -1, 1.5, 1e30, '', null])
      expect(reasonOf({ ...revoke, CreateTime })).toBe('incomplete');
  });

  it('keeps a MsgId beyond 2^53, and one that is no number', () => {
    const text = JSON.stringify({ ...revoke, Event: undefined, MsgType: 'text', MsgId: 0 });
    expect(read(text.replace('"MsgId":0', '"MsgId":6200000000000000001')).msgId).toBe('6200000000000000001');
    expect(read({ ...revoke, MsgId: 'a-b-c' }).msgId).toBe('a-b-c');
  });

  it('that names another app in an authorisation event is unreadable', () => {
    expect(reasonOf({ ...revoke, AppID: 'wxother' })).toBe('other_app');
  });

  it.each([
    ['no sender', { ...revoke, FromUserName: undefined }],
    ['no type', { ...revoke, MsgType: undefined }],
    ['a list as the person', { ...revoke, OpenID: [person] }],
    ['an object as the sender', { ...revoke, FromUserName: { a: 'b' } }],
    ['a person who is no id', { ...revoke, OpenID: 'o A' }],
    ['a person too long', { ...revoke, OpenID: 'o'.repeat(129) }],
    ['nothing', {}],
  ])('with %s is incomplete', (_what, body) => {
    expect(reasonOf(body)).toBe('incomplete');
  });

  it('that is not UTF-8 is unreadable', () => {
    expect(reasonOf(Buffer.from([0x7b, 0xff, 0x7d]))).toBe('not_utf8');
  });

  it('holds no half of a surrogate pair, which jsonb refuses', () => {
    const text = JSON.stringify({ ...revoke, Content: 'CONTENT' }).replace('CONTENT', 'a\\ud800b\\ud83d\\ude00');
    expect(read(text).fields['Content']).toBe('a\uFFFDb😀');
  });

  it('holds no U+0000, which PostgreSQL could not store', () => {
    expect(read({ ...revoke, Content: 'a\u0000b' }).fields['Content']).toBe('a\uFFFDb');
    expect(reasonOf({ ...revoke, OpenID: `${person}\u0000` })).toBe('incomplete');
    expect(reasonOf(JSON.stringify({ ...revoke, OpenID: 'RAW' }).replace('RAW', 'oA\u0001B'))).toBe('incomplete');
    expect(Object.keys(read({ ...revoke, 'N\u0000': 'x' }).fields)).toContain('N\uFFFD');
  });
});

describe('the dedupe key', () => {
  const event: DedupeFacts = {
    appId,
    msgType: 'event',
    event: 'user_authorization_revoke',
    createTimeSeconds: 1,
    msgId: null,
    eventKey: null,
    revokeInfo: '6',
    pluginId: null,
    sender: 'oPlatform',
    subject: person,
  };
  const message: DedupeFacts = { ...event, event: null, msgType: 'text', msgId: '7', sender: person };

  it('is the same for the same push in XML and JSON, plain or repeated', () => {
    const xml = `<xml>${Object.entries(revoke)
      .map(([name, value]) => `<${name}>${value}</${name}>`)
      .join('')}</xml>`;
    expect(read(xml).dedupeKey).toBe(read(revoke).dedupeKey);
  });

  it.each([
    ['app', { appId: 'wxother' }],
    ['event', { event: 'user_info_modified' }],
    ['person', { subject: 'oOther' }],
    ['second', { createTimeSeconds: 2 }],
    ['EventKey', { eventKey: 'x' }],
    ['RevokeInfo', { revokeInfo: '8' }],
    ['plugin', { pluginId: 'p' }],
  ])('of an event differs by %s', (_what, change) => {
    expect(dedupeKeyOf({ ...event, ...change })).not.toBe(dedupeKeyOf(event));
  });

  it('of an event does not depend on its constant sender', () => {
    expect(dedupeKeyOf({ ...event, sender: 'oOtherPlatform' })).toBe(dedupeKeyOf(event));
  });

  it.each([
    ['app', { appId: 'wxother' }],
    ['sender', { sender: 'oOther' }],
    ['MsgId', { msgId: '8' }],
  ])('of a message differs by %s, because a MsgId repeats across people', (_what, change) => {
    expect(dedupeKeyOf({ ...message, ...change })).not.toBe(dedupeKeyOf(message));
  });

  it('shows nothing of the person', () => {
    expect(read(revoke).dedupeKey).toMatch(/^[0-9a-f]{64}$/);
  });
});
