import { readPush, signPush } from '#wechat';
import type { PushMessage, ReceivedPush } from '#wechat';
import { Receiver } from './receiver.js';
import type { Received } from './receiver.js';
import { Stage } from './stage.js';

const token = 'pushtoken';
const encodingAesKey = 'abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG';

let stage: Stage;
let receiver: Receiver;

beforeAll(async () => {
  [stage, receiver] = [await Stage.open(), await Receiver.open()];
});
afterAll(() => Promise.all([stage.sandbox.close(), receiver.close()]));
beforeEach(() => receiver.reset());

type Mode = 'plain' | 'compatible' | 'safe';

async function app(appId: string, settings: { kind?: string; mode?: Mode; format?: 'xml' | 'json' } = {}) {
  const { kind = 'service_account', mode = 'safe', format = 'xml' } = settings;
  return stage.app(appId, {
    kind,
    openPlatform: 'main',
    push: { url: receiver.url, token, encodingAesKey, mode, format },
  });
}

function read({ query, contentType, body }: Received, appId: string, mode: Mode): ReceivedPush {
  return readPush({ query, contentType, body, settings: { token, encodingAesKey, mode }, appId, nowMs: Date.now() });
}

function messageOf(received: Received | undefined, appId: string, mode: Mode = 'safe'): PushMessage {
  const verdict = received && read(received, appId, mode);
  if (verdict?.ok !== true) throw new Error(`not a push: ${verdict?.reason}`);
  return verdict.message;
}

const happens = async (what: string, body: object) =>
  stage.post<{ openId: string; push: { status: string; attempts: number; lastAnswer: string } }>(
    `/_control/${what}`,
    body,
  );

describe('a push', () => {
  const ways: readonly (readonly [Mode, 'xml' | 'json'])[] = [
    ['plain', 'xml'],
    ['plain', 'json'],
    ['compatible', 'xml'],
    ['compatible', 'json'],
    ['safe', 'xml'],
    ['safe', 'json'],
  ];

  it.each(ways)('in %s mode as %s is what libs/wechat reads', async (mode, format) => {
    const appId = await app(`wx${mode}${format}`, { mode, format });
    const { body } = await happens('follow', { person: 'mei', appId, scene: '00123' });
    expect(body.push).toMatchObject({ status: 'delivered', attempts: 1, lastAnswer: 'success' });
    const [received] = receiver.received;
    expect(received?.query).toMatchObject({ tenant: 'acme', openid: body.openId });
    expect(received?.contentType).toBe(format === 'xml' ? 'text/xml' : 'application/json');
    expect(messageOf(received, appId, mode)).toMatchObject({
      event: 'subscribe',
      openId: body.openId,
      unionId: null,
      eventKey: 'qrscene_00123',
      fields: { Ticket: 'gQH_00123', ToUserName: expect.stringMatching(/^gh_[0-9a-f]{12}$/) as string },
    });
  });

  it('in safe mode shows nothing of the person but the envelope, and carries both signatures', async () => {
    const appId = await app('wxsafe');
    await happens('follow', { person: 'mei', appId });
    const { query = {}, body = '' } = receiver.received[0] ?? {};
    expect(body).toMatch(/^<xml><ToUserName>.*<\/ToUserName>\n<Encrypt>.*<\/Encrypt><\/xml>$/);
    expect(query['signature']).toBe(signPush(token, query['timestamp'] ?? '', query['nonce'] ?? ''));
    expect(query).toMatchObject({
      encrypt_type: 'aes',
      msg_signature: expect.stringMatching(/^[0-9a-f]{40}$/) as string,
    });
    expect(query['msg_signature']).not.toBe(query['signature']);
  });

  it('in compatible mode has the plain fields beside the encrypted copy', async () => {
    const appId = await app('wxcompatible', { mode: 'compatible', format: 'json' });
    const { body } = await happens('follow', { person: 'mei', appId });
    expect(JSON.parse(receiver.received[0]?.body ?? '')).toMatchObject({
      FromUserName: body.openId,
      Event: 'subscribe',
      Encrypt: expect.any(String) as string,
    });
  });

  it('of another app, of another token or with another key is refused by the reader', async () => {
    const appId = await app('wxguarded');
    await happens('follow', { person: 'mei', appId });
    const [received] = receiver.received;
    const { query = {}, body = '' } = received ?? {};
    const given = { query, body, settings: { token, encodingAesKey, mode: 'safe' }, appId, nowMs: Date.now() } as const;
    const reasonOf = (change: object) => readPush({ ...given, ...change });
    expect(reasonOf({ appId: 'wxother' })).toMatchObject({ reason: 'foreign_app' });
    expect(reasonOf({ settings: { ...given.settings, token: 'x' } })).toMatchObject({ reason: 'bad_msg_signature' });
    const otherKey = { ...given.settings, encodingAesKey: 'A'.repeat(43) };
    expect(reasonOf({ settings: otherKey })).toMatchObject({ reason: 'undecryptable' });
    expect(reasonOf({ nowMs: Date.now() + 660_000 })).toMatchObject({ reason: 'stale_timestamp' });
  });
});

describe('an unanswered push', () => {
  it('is repeated up to three times, signed anew, and is one for the reader', async () => {
    const appId = await app('wxrepeat');
    receiver.reset({ status: 500 }, { text: 'fail' }, 'hang up');
    const { body } = await happens('unfollow', { person: 'mei', appId });
    expect(body.push).toMatchObject({ status: 'delivered', attempts: 4 });
    expect(new Set(receiver.received.map((one) => messageOf(one, appId).dedupeKey)).size).toBe(1);
    expect(new Set(receiver.received.map(({ query }) => query['nonce'])).size).toBe(4);
  });

  it('is given up after that, and the journal says why', async () => {
    const appId = await app('wxgivenup');
    receiver.reset(...Array.from({ length: 4 }, () => ({ status: 403 })));
    const { body } = await happens('unfollow', { person: 'mei', appId });
    expect(body.push).toMatchObject({ status: 'failed', attempts: 4, lastAnswer: 'HTTP 403 ' });
    expect(receiver.received).toHaveLength(4);
  });

  it('is no better answered with a body that never ends', async () => {
    const appId = await app('wxendless');
    receiver.reset('endless');
    const { body } = await happens('unfollow', { person: 'mei', appId });
    expect(body.push).toMatchObject({ status: 'delivered', attempts: 2 });
  });

  it('counts as answered with an empty body too', async () => {
    const appId = await app('wxemptyanswer');
    receiver.reset({ text: '' });
    const { body } = await happens('unfollow', { person: 'mei', appId });
    expect(body.push).toMatchObject({ status: 'delivered', attempts: 1 });
  });

  it('does not keep whoever does not want to wait', async () => {
    const appId = await app('wxnowait');
    const arrival = receiver.next();
    const { body } = await happens('unfollow', { person: 'mei', appId, wait: false });
    expect(body.push).toMatchObject({ status: 'sending' });
    await arrival;
  });

  it('of an app without a push URL is not sent', async () => {
    const appId = await stage.app('wxdeaf', { kind: 'service_account' });
    const { body } = await happens('follow', { person: 'mei', appId });
    expect(body.push).toMatchObject({ status: 'no push url', attempts: 0 });
  });
});

describe('what people do', () => {
  it('reaches the official account as WeChat words it', async () => {
    const appId = await app('wxpeople');
    await happens('scan', { person: 'mei', appId, scene: 's1' });
    await happens('scan', { person: 'mei', appId, scene: '1e5' });
    await happens('unfollow', { person: 'mei', appId });
    const messages = receiver.received.map((one) => messageOf(one, appId));
    expect(messages.map(({ event, eventKey }) => [event, eventKey])).toEqual([
      ['subscribe', 'qrscene_s1'],
      ['scan', '1e5'],
      ['unsubscribe', null],
    ]);
    expect(new Set(messages.map(({ openId }) => openId)).size).toBe(1);
  });

  it.each([
    ['revoke', 'user_authorization_revoke', '6'],
    ['cancel', 'user_authorization_cancellation', null],
    ['modify-profile', 'user_info_modified', null],
  ])('as %s names the person in OpenID and the platform as sender', async (what, event, revokeInfo) => {
    const appId = await app(`wx${what}`, { kind: 'mini_program', format: 'json' });
    const { body } = await happens(what, { person: 'mei', appId });
    const message = messageOf(receiver.received[0], appId);
    expect(message).toMatchObject({ event, openId: body.openId, revokeInfo, fields: { AppID: appId } });
    expect(message.fields['FromUserName']).not.toBe(body.openId);
  });

  it('can be withdrawn one by one', async () => {
    const appId = await app('wxrevokeinfo', { kind: 'mobile_app', format: 'json' });
    await happens('revoke', { person: 'mei', appId, revokeInfo: '301' });
    expect(messageOf(receiver.received[0], appId).revokeInfo).toBe('301');
  });

  it('can be any push at all, as often as said', async () => {
    const appId = await app('wxany');
    const message = {
      FromUserName: 'oA',
      Event: 'user_get_card',
      UnionId: 'oU',
      Nested: { List: [{ A: 1 }, { A: 2 }] },
      Text: 'a ]]> <b>',
    };
    const { body } = await stage.post('/_control/push', { appId, message, copies: 3 });
    expect(body['pushes']).toHaveLength(3);
    expect(receiver.received).toHaveLength(3);
    expect(messageOf(receiver.received[0], appId)).toMatchObject({
      event: 'user_get_card',
      unionId: 'oU',
      fields: { Nested: { List: [{ A: '1' }, { A: '2' }] }, Text: 'a ]]> <b>' },
    });
  });

  it.each([
    ['follow', { person: 'mei', appId: 'wxmini' }],
    ['scan', { person: 'mei', appId: 'wxmini' }],
    ['revoke', { person: 'mei', appId: 'wxmini', revokeInfo: 'everything' }],
    ['follow', { person: '', appId: 'wxmini' }],
    ['follow', { person: 'mei', appId: 'wxmini', unheard: true }],
    ['push', { appId: 'wxmini', message: 'text' }],
  ])('is refused where it makes no sense: %s %j', async (what, body) => {
    await stage.app('wxmini', {});
    expect((await stage.post(`/_control/${what}`, body)).status).toBe(400);
  });
});
