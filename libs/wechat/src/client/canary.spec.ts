import { inspect } from 'node:util';
import { decryptPush } from '../crypto/push-crypto.js';
import { FakeWechat } from './fake-wechat.fixture.js';
import type { Answerer } from './fake-wechat.fixture.js';
import { WechatClient } from './wechat-client.js';

const appId = 'wx1234567890abcdef';
/** With letters that look different in a URL and in JSON, so that each form is looked for. */
const canaries = {
  secret: 'CANARY-secret+"/=%&',
  code: 'CANARY-code+"/=%&',
  token: 'CANARY-token+"/=%&',
  userToken: 'CANARY-user-token+"/=%&',
  sessionKey: 'CANARYsessionkey+/abcd==',
};

const forms = Object.values(canaries).flatMap((canary) => [
  canary,
  encodeURIComponent(canary),
  JSON.stringify(canary).slice(1, -1),
  new URLSearchParams([['', canary]]).toString().slice(1),
]);

/** Everything a logger, a serialiser or a debugger might show. */
function shownOf(value: unknown): string {
  const error = value instanceof Error ? [value.message, value.stack, String(value), inspect(value.cause)] : [];
  return [inspect(value, { depth: 20, showHidden: true, getters: true }), JSON.stringify(value), ...error].join('\n');
}

function expectClean(value: unknown): void {
  const shown = shownOf(value);
  for (const form of [...forms, 'CANARY']) expect(shown).not.toContain(form);
}

let fake: FakeWechat;
let client: WechatClient;

beforeAll(async () => {
  fake = await FakeWechat.open();
});
afterAll(() => fake.close());
beforeEach(() => {
  client = new WechatClient({ baseUrl: fake.url, secretOf: () => canaries.secret, totalTimeoutMs: 150 });
});

/** WeChat echoes everything it was sent: the query as it came, the body, and each value by itself. */
const echo: Answerer = (request, response) => {
  const { query, body } = fake.seen.at(-1) ?? { query: new URLSearchParams(), body: '' };
  const errmsg = `${request.url} ${body} ${[...query.values()].join(' ')} rid: ${query.get('secret') ?? body}`;
  response.end(JSON.stringify({ errcode: 40097, errmsg }));
};

const failures: readonly (readonly [string, Answerer])[] = [
  ['echoes what it was sent', echo],
  ['is busy and echoes', (request, response) => response.end(JSON.stringify({ errcode: -1, errmsg: request.url }))],
  ['answers HTML with the URL', (request, response) => response.writeHead(502).end(`<html>${request.url}</html>`)],
  ['hangs up', (_request, response) => response.destroy()],
  ['never answers', () => undefined],
  ['redirects', (request, response) => response.writeHead(302, { location: `http://localhost:9${request.url}` }).end()],
  ['answers garbage', '{"openid":'],
  ['answers in another shape', { openid: { a: 1 }, unionid: canaries.sessionKey, session_key: canaries.sessionKey }],
];

describe.each(failures)('when WeChat %s', (_what, failure) => {
  const calls: readonly (readonly [string, () => Promise<unknown>, readonly Answerer[]])[] = [
    ['code2session', () => client.code2session({ appId, code: canaries.code }), []],
    ['oauthAccessToken', () => client.oauthAccessToken({ appId, code: canaries.code }), []],
    ['stableToken', () => client.stableToken({ appId, forceRefresh: true }), []],
    ['userInfo', () => client.userInfo({ appId, openId: 'oA' }), [{ access_token: canaries.token, expires_in: 7200 }]],
    [
      'snsUserInfo',
      async () => {
        const login = await client.oauthAccessToken({ appId, code: canaries.code });
        return client.snsUserInfo({ appId, ...login });
      },
      [{ access_token: canaries.userToken, openid: 'oA', scope: 'snsapi_userinfo' }],
    ],
    [
      'checkSession',
      async () => {
        const { sessionKey } = await client.code2session({ appId, code: canaries.code });
        return client.checkSession({ appId, openId: 'oA', sessionKey });
      },
      [
        { openid: 'oA', session_key: canaries.sessionKey },
        { access_token: canaries.token, expires_in: 7200 },
      ],
    ],
  ];

  it.each(calls)('nothing of %s shows a secret', async (_name, call, before) => {
    fake.answers(...before, failure);
    const error = await call().then(
      () => new Error('the call was not refused'),
      (reason: unknown) => reason,
    );
    expect(String(error)).toContain('WechatError');
    expectClean(error);
    expectClean(client);
  });
});

describe('an answer', () => {
  it('of a login shows no session_key and no token unless asked to', async () => {
    fake.answers(
      { openid: 'oA', session_key: canaries.sessionKey },
      { access_token: canaries.userToken, openid: 'oA', scope: 'snsapi_base' },
    );
    const [session, oauth] = [
      await client.code2session({ appId, code: canaries.code }),
      await client.oauthAccessToken({ appId, code: canaries.code }),
    ];
    expectClean([session, oauth]);
    expect(`${String(session.sessionKey)} ${String(oauth.accessToken)}`).toBe('[secret] [secret]');
    expect(session.sessionKey.reveal()).toBe(canaries.sessionKey);
  });
});

describe('a wrong EncodingAESKey', () => {
  it('is not shown by the error that says so', () => {
    let shown: unknown;
    try {
      decryptPush('AAAAAAAAAAAAAAAAAAAAAA==', { encodingAesKey: canaries.secret, appId });
    } catch (error) {
      shown = error;
    }
    expect(shown).toBeInstanceOf(TypeError);
    expectClean(shown);
  });
});
