import { Script } from 'node:vm';
import { Stage } from './stage.js';

let stage: Stage;

beforeAll(async () => {
  stage = await Stage.open();
});
afterAll(() => stage.sandbox.close());

describe('an app', () => {
  it('is new with 201, changed with 200, and keeps its people and its original id', async () => {
    const app = {
      kind: 'service_account',
      name: 'Shop',
      openPlatform: 'main',
      originalId: 'gh_shop',
      secret: 'hidden',
    };
    expect((await stage.put('/_control/apps/wxshop', app)).status).toBe(201);
    await stage.post('/_control/follow', { person: 'mei', appId: 'wxshop' });
    const { status, body } = await stage.put('/_control/apps/wxshop', { kind: 'service_account' });
    expect(status).toBe(200);
    expect(body).toEqual({
      appId: 'wxshop',
      kind: 'service_account',
      name: 'wxshop',
      openPlatform: null,
      originalId: 'gh_shop',
      verified: true,
      hasSecret: false,
      push: null,
      people: 1,
      followers: 1,
    });
  });

  it('takes the words of our registry too, so that one body fits both', async () => {
    const app = { kind: 'mini_program', name: 'Game', openPlatformId: 'main', appSecret: 'hidden' };
    const { body } = await stage.put('/_control/apps/wxgame', app);
    expect(body).toMatchObject({ openPlatform: 'main', hasSecret: true });
    expect(JSON.stringify(body)).not.toContain('hidden');
  });

  it.each([
    ['wx bad', { kind: 'mini_program' }],
    ['wxbad', { kind: 'unheard of' }],
    ['wxbad', {}],
    ['wxbad', { kind: 'mini_program', secret: '' }],
    ['wxbad', { kind: 'mini_program', push: { url: 'ftp://host', token: 't', mode: 'plain' } }],
    ['wxbad', { kind: 'mini_program', push: { url: 'http://host', token: 't', mode: 'safe' } }],
    [
      'wxbad',
      { kind: 'mini_program', push: { url: 'http://host', token: 't', mode: 'safe', encodingAesKey: 'short' } },
    ],
    ['wxbad', { kind: 'mini_program', unheard: 1 }],
  ])('%s with %j is refused', async (appId, body) => {
    expect((await stage.put(`/_control/apps/${encodeURIComponent(appId)}`, body)).status).toBe(400);
  });

  it('nobody registered is 404, and the answer says what to do', async () => {
    const { status, body } = await stage.post('/_control/login', { person: 'mei', appId: 'wxnobody' });
    expect([status, body]).toEqual([404, { error: 'appId: no app wxnobody here; PUT /_control/apps/wxnobody first' }]);
  });
});

describe('the state', () => {
  it('names apps, people and what each app knows of them, and no secret', async () => {
    await stage.put('/_control/apps/wxone', { kind: 'mini_program', openPlatform: 'main', secret: 'hidden' });
    await stage.put('/_control/apps/wxtwo', { kind: 'service_account' });
    const { code, openId } = await stage.logIn('lin', 'wxone');
    stage.secrets.set('wxone', 'hidden');
    const { unionId, sessionKey } = await stage.client().code2session({ appId: 'wxone', code });
    await stage.post('/_control/follow', { person: 'lin', appId: 'wxtwo' });
    const { body } = await stage.get<{ people: { name: string; apps: object[] }[]; calls: object[]; pushes: object[] }>(
      '/_control/state',
    );
    expect(body.people.find(({ name }) => name === 'lin')?.apps).toMatchObject([
      { appId: 'wxone', openId, unionId, follows: false },
      { appId: 'wxtwo', unionId: null, follows: true },
    ]);
    expect(body.calls[0]).toMatchObject({ endpoint: '/sns/jscode2session', appId: 'wxone', errcode: 0, fault: null });
    expect(body.pushes[0]).toMatchObject({ appId: 'wxtwo', event: 'subscribe', person: 'lin', status: 'no push url' });
    for (const secret of ['hidden', code, sessionKey.reveal()]) expect(JSON.stringify(body)).not.toContain(secret);
  });

  it('keeps the last two hundred calls', async () => {
    for (let call = 0; call < 210; call += 1) await stage.get('/sns/nothing');
    const { body } = await stage.get<{ calls: object[] }>('/_control/state');
    expect(body.calls).toHaveLength(200);
  });
});

describe('two sandboxes side by side', () => {
  it('share nothing but the names they give', async () => {
    const other = await Stage.open();
    for (const one of [stage, other]) await one.app('wxboth', { openPlatform: 'main' });
    const { code, openId } = await stage.logIn('mei', 'wxboth');
    expect(other.sandbox.url).not.toBe(stage.sandbox.url);
    await expect(other.client().code2session({ appId: 'wxboth', code })).rejects.toMatchObject({ errcode: 40029 });
    await other.fault({ endpoint: '*', kind: 'html', times: 100 });
    await other.post('/_control/clock', { advanceSeconds: 3600 });
    expect(await stage.client().code2session({ appId: 'wxboth', code })).toMatchObject({ openId });
    expect((await other.logIn('mei', 'wxboth')).openId).toBe(openId);
    await other.sandbox.close();
  });
});

async function send(path: string, init: RequestInit = {}) {
  const response = await fetch(`${stage.sandbox.url}${path}`, init);
  return { status: response.status, type: response.headers.get('content-type'), text: await response.text() };
}

describe('garbage', () => {
  it.each(['', 'null', '[1]', '"text"', '{', 'a=b&c=d', '\u0000', '{"__proto__":{"person":"x"}}'])(
    'as the control API’s body (%j) is 400',
    async (body) => {
      expect(await send('/_control/login', { method: 'POST', body })).toMatchObject({ status: 400 });
    },
  );

  it('above a megabyte is 413 for the control API and 47001 in WeChat’s manner', async () => {
    const init = { method: 'POST', body: 'x'.repeat(1024 * 1024 + 1) };
    expect(await send('/_control/login', init)).toMatchObject({ status: 413 });
    const { status, type, text } = await send('/cgi-bin/stable_token', init);
    expect([status, type, text]).toEqual([200, 'text/plain', expect.stringContaining('"errcode":47001') as string]);
  });

  it.each([
    [41002, '/sns/jscode2session'],
    [41002, '/sns/jscode2session?appid=wxa&appid=wxb&secret=s&js_code=c&grant_type=authorization_code'],
    [40013, '/sns/jscode2session?appid=%ff%fe&secret=s&js_code=c&grant_type=authorization_code'],
    [41001, '/cgi-bin/user/info'],
    [40001, '/cgi-bin/user/info?access_token=made-up'],
    [40066, '/sns/nothing'],
    [40066, '/cgi-bin/'],
    [43002, '/cgi-bin/changeopenid'],
  ])('in a query is %d in HTTP 200 and text/plain: %s', async (errcode, path) => {
    const { status, type, text } = await send(path);
    expect([status, type]).toEqual([200, 'text/plain']);
    expect(JSON.parse(text)).toMatchObject({ errcode, errmsg: expect.stringMatching(/ rid: [0-9a-f-]+$/) as string });
  });

  it('from the page of another site is refused', async () => {
    const init = { method: 'POST', body: '{"advanceSeconds":60}' };
    const from = async (origin: string) => send('/_control/clock', { ...init, headers: { origin } });
    expect(await from(stage.sandbox.url)).toMatchObject({ status: 200 });
    for (const origin of ['http://evil.example', 'null']) expect(await from(origin)).toMatchObject({ status: 403 });
  });
});

describe('the page', () => {
  it('is one document that loads nothing and runs only its own script', async () => {
    const response = await fetch(`${stage.sandbox.url}/`);
    const html = await response.text();
    expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(response.headers.get('content-security-policy')).toMatch(/^default-src 'none'; style-src 'sha256-/);
    expect(html).not.toMatch(/(src|href)="(?!data:)/);
    expect(html.match(/<script>/g)).toHaveLength(1);
  });

  it('has a script that a browser can read', async () => {
    const html = await (await fetch(`${stage.sandbox.url}/`)).text();
    const script = /<script>([\s\S]*)<\/script>/.exec(html)?.[1] ?? '';
    // Compiled and not run: a slip of the pen in the text would be found by nobody else.
    expect(() => new Script(script)).not.toThrow();
    for (const [, id] of script.matchAll(/at\('([\w-]+)'\)/g)) expect(html).toContain(`id="${id}"`);
  });
});
