import { createHash, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { topicName, topics } from '#events';
import { type Acme, ok, startAcme } from './harness/acme.js';
import { type Answer, type Http, http, type Json } from './harness/http.js';
import { importsOf } from './harness/imports.js';
import { createSmallTopics, freshTopicPrefix, produce, readTopic } from './harness/kafka.js';
import { type App, operatorKey, secretsKey, startRelay, startSandbox } from './harness/processes.js';
import { receiveTraces, type TraceReceiver } from './harness/traces.js';
import { until } from './harness/until.js';
import { tapWechat, type Wiretap } from './harness/wiretap.js';

/** With letters that look different in a URL and in JSON, so that each form is looked for. */
const canary = (what: string): string => `CANARY-${what}-${randomBytes(9).toString('hex')}+"/=%&`;
const key43 = (): string => `CANARY${randomBytes(30).toString('hex')}`.slice(0, 43);
const sha1 = (...words: string[]): string => createHash('sha1').update(words.toSorted().join('')).digest('hex');

interface Place {
  readonly where: string;
  readonly text: string;
}

describe('With every door open and traces on', () => {
  const secrets = new Set<string>();
  const answers: Place[] = [];
  /** What one caller is told once and nobody else may see. */
  const issued = new Set<string>();
  const prefix = freshTopicPrefix();
  let sandbox: App;
  let relay: App;
  let tap: Wiretap;
  let traces: TraceReceiver;
  let wechat: Http;
  let acme: Acme;
  let next = 0;

  const secret = (what: string): string => {
    const value = what === 'aes-key' ? key43() : canary(what);
    secrets.add(value);
    return value;
  };
  const recorded = async (where: string, answer: Promise<Answer<Json>>): Promise<Answer<Json>> => {
    const { status, headers, body } = await answer;
    answers.push({ where, text: JSON.stringify([status, [...headers], body]) });
    if (body?.session !== undefined) issued.add(body.session.token);
    if (body?.key !== undefined) issued.add(body.key);
    return { status, headers, body };
  };
  const post = (path: string, body: unknown, headers: Record<string, string> = {}): Promise<Answer<Json>> =>
    recorded(`POST ${path}`, acme.operator.post(path, body, { headers }));
  const fault = async (endpoint: string, more: object): Promise<void> => {
    ok(await wechat.post('/_faults', { endpoint, times: 1, ...more }));
  };

  beforeAll(async () => {
    sandbox = await startSandbox({ env: { LOG_LEVEL: 'trace' } });
    tap = await tapWechat(sandbox.url);
    wechat = http(sandbox.url);
    traces = await receiveTraces();
    const tracing = { OTEL_EXPORTER_OTLP_ENDPOINT: traces.url, OTEL_EXPORTER_OTLP_HEADERS: 'x-tenant=acme%20inc' };
    acme = await startAcme({ env: { WECHAT_BASE_URL: tap.url, LOG_LEVEL: 'trace', ...tracing } });
    await createSmallTopics(prefix);
    const env = { KAFKA_TOPIC_PREFIX: prefix, LOG_LEVEL: 'trace', ...tracing };
    relay = await startRelay({ databaseUrl: acme.database.url, env });
    for (const [appId, kind, mode, format] of [
      ['shop', 'mini_program', 'safe', 'json'],
      ['service', 'service_account', 'compatible', 'xml'],
      ['site', 'website_app', 'plain', 'json'],
      ['phone', 'mobile_app', 'safe', 'json'],
    ] as const)
      await put(appId, kind, mode, format);
  });
  afterAll(async () => {
    await relay.stop();
    await acme.stop();
    await tap.close();
    await traces.close();
    await sandbox.stop();
  });

  async function put(appId: string, kind: string, mode: string, format: string): Promise<void> {
    const appSecret = secret('app-secret');
    const push = { token: secret('push-token'), encodingAesKey: secret('aes-key'), mode };
    const url = `${acme.apis[0]?.url}/v1/wechat/push/${appId}`;
    ok(
      await wechat.put(`/_control/apps/${appId}`, {
        kind,
        secret: appSecret,
        openPlatform: appId === 'site' ? null : 'op1',
        push: { ...push, url, format },
      }),
    );
    const app = { kind, name: appId, openPlatformId: 'op1', appSecret, push, cloudHosting: true };
    const path = `/v1/entities/acme/apps/${appId}`;
    ok(await recorded(`PUT ${path}`, acme.operator.put(path, app)));
    await recorded(
      `PUT ${path}, refused`,
      acme.operator.put(path, { ...app, kind: 'none', push: { ...push, mode: 'x' } }),
    );
    await recorded(`GET ${path}`, acme.operator.get(path));
  }

  /** A login whose code is a secret too. */
  async function login(route: 'mini-program' | 'oauth', appId: string, more: object = {}): Promise<Answer<Json>> {
    const person = `person-${(next += 1)}`;
    const { code, encryptedData, iv } = ok(await wechat.post('/_control/login', { person, appId })).body;
    secrets.add(code);
    const data = route === 'mini-program' ? { encryptedData, iv } : {};
    return post(`/v1/logins/${route}`, { appId, code, ...data, ...more }, { 'idempotency-key': `key-${next}` });
  }

  async function everyDoor(): Promise<void> {
    for (const [route, appId] of [
      ['mini-program', 'shop'],
      ['oauth', 'service'],
      ['oauth', 'site'],
      ['oauth', 'phone'],
    ] as const) {
      expect((await login(route, appId)).status).toBe(200);
      for (const unknown of ['made up', secret('code')]) await post(`/v1/logins/${route}`, { appId, code: unknown });
      await post(`/v1/logins/${route}`, `{"appId":"${appId}","code":"${secret('code').replaceAll('"', '')}`);
    }
    await login('mini-program', 'shop', { encryptedData: 'AAAA' });
    await login('mini-program', 'shop', { rawData: '{}', signature: 'beef' });
    const { openId, transactionId } = ok(await wechat.post('/_control/pay', { person: 'payer', appId: 'shop' })).body;
    expect((await post('/v1/apps/shop/paid-union-id', { openId, transactionId })).status).toBe(200);
    const keyed = await post('/v1/api-keys', { name: 'one', scopes: ['read'] }, { 'idempotency-key': 'api-key' });
    expect(keyed.status).toBe(201);
    const headers = { 'x-wx-source': 'wx', 'x-wx-appid': 'shop', 'x-wx-openid': 'oCloud' };
    expect((await post('/v1/logins/cloud-hosting', { appId: 'shop' }, headers)).status).toBe(200);
  }

  async function everyFailure(): Promise<void> {
    const endpoints = [
      ['shop', '/sns/jscode2session', () => login('mini-program', 'shop')],
      ['service', '/sns/oauth2/access_token', () => login('oauth', 'service')],
      ['phone', '/sns/oauth2/access_token', () => login('oauth', 'phone')],
      ['site', '/sns/userinfo', () => login('oauth', 'site')],
      [
        'shop',
        '/wxa/getpaidunionid',
        () => post('/v1/apps/shop/paid-union-id', { openId: 'oNobody', transactionId: 't' }),
      ],
    ] as const;
    for (const [appId, endpoint, call] of endpoints) {
      for (const kind of ['http', 'html', 'empty', 'reset', 'lost-answer']) {
        await fault(endpoint, { appId, kind });
        await call();
      }
      for (const errcode of [40029, 40163, 40001, 42001, 40164]) {
        await fault(endpoint, { appId, kind: 'errcode', errcode });
        await call();
      }
    }
  }

  async function everyPush(): Promise<void> {
    for (const what of ['revoke', 'modify-profile', 'cancel'])
      for (const appId of ['shop', 'service', 'site', 'phone'])
        ok(await wechat.post(`/_control/${what}`, { person: `person-${what}`, appId }));
    for (const what of ['follow', 'unfollow'])
      ok(await wechat.post(`/_control/${what}`, { person: 'fan', appId: 'service' }));
    ok(await wechat.post('/_control/follow', { person: 'listed', appId: 'service' }));
    const now = String(Math.floor(Date.now() / 1000));
    for (const token of secrets) {
      const query = { timestamp: now, nonce: 'n', signature: sha1(token, now, 'n'), msg_signature: 'beef' };
      const path = `/v1/wechat/push/shop?${new URLSearchParams(query).toString()}`;
      await recorded('a forged push', acme.operator.as(undefined).post(path, { ToUserName: 'gh_1', Encrypt: 'AAAA' }));
    }
    await until(async () => (await acme.database.query(`SELECT 1 FROM push WHERE status = 'waiting'`)).length === 0, {
      timeoutMs: 60_000,
      what: 'every push handled',
    });
    const pull = { kind: 'followers', appId: 'service', entityId: 'acme' };
    const { id } = ok(await post('/v1/imports', pull)).body;
    expect((await importsOf(() => acme).ended(id)).done).toBeGreaterThan(0);
  }

  /** Everything anybody could read: answers, the feed, Kafka, every row as text, every log. */
  async function everything(): Promise<Place[]> {
    const feed = (await acme.operator.get('/v1/events?limit=200')).body;
    const shown = await Promise.all(
      ['/metrics', '/openapi.json', '/v1/stats', '/v1/conflicts', '/v1/entities/acme/apps', '/v1/api-keys'].map(
        async (path) => ({ where: path, text: JSON.stringify((await acme.operator.get(path)).body) }),
      ),
    );
    const tables = await acme.database.query<{ name: string }>(
      `SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE'`,
    );
    const rows: Place[] = [];
    for (const { name } of tables)
      for (const { text } of await acme.database.query<{ text: string }>(`SELECT t::text AS text FROM "${name}" t`))
        rows.push({ where: `table ${name}`, text });
    const records = await Promise.all(
      [topics.userEvents, topics.userStates, topics.notices].map((topic) => readTopic(topicName(prefix, topic))),
    );
    expect([feed.items.length, records[0]?.length, records[2]?.length].every((n) => n > 3)).toBe(true);
    const published = records.flat().map(({ topic, key, value, headers }) => ({
      where: topic,
      text: JSON.stringify([key, value, headers]),
    }));
    const logs = [...acme.apis, relay, sandbox].map(({ name, logFile }) => ({
      where: `log of ${name}`,
      text: readFileSync(logFile, 'utf8'),
    }));
    const spans = { where: 'traces', text: traces.text() };
    return [{ where: '/v1/events', text: JSON.stringify(feed) }, spans, ...shown, ...rows, ...published, ...logs];
  }

  it('a request is followed by one trace from its answer through its statements and WeChat to the record in Kafka', async () => {
    const [traceId, caller] = [randomBytes(16).toString('hex'), randomBytes(8).toString('hex')];
    const { code } = ok(await wechat.post('/_control/login', { person: 'traced', appId: 'shop' })).body;
    const headers = { traceparent: `00-${traceId}-${caller}-01`, 'x-request-id': 'traced-1' };
    const { user } = ok(await post('/v1/logins/mini-program', { appId: 'shop', code }, headers)).body;
    const ofTrace = () => traces.spans.filter((span) => span.traceId === traceId);
    const patience = { timeoutMs: 60_000, what: 'the whole trace' };
    await until(() => ofTrace().some(({ kind }) => kind === 4) && ofTrace().some(({ kind }) => kind === 2), patience);
    const [request] = ofTrace().filter(({ kind }) => kind === 2);
    expect(request).toMatchObject({
      service: 'unionlink-api',
      name: 'POST /v1/logins/mini-program',
      parentSpanId: caller,
      attributes: { 'http.response.status_code': '200', 'unionlink.request_id': 'traced-1' },
    });
    const [sent] = ofTrace().filter(({ kind }) => kind === 4);
    expect(sent).toMatchObject({ service: 'unionlink-relay', parentSpanId: request?.spanId });
    const within = ofTrace().filter(({ kind }) => kind === 3);
    expect(new Set(within.map(({ parentSpanId }) => parentSpanId))).toEqual(new Set([request?.spanId]));
    expect(within.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['WeChat /sns/jscode2session', 'lock-and-load', 'apply-changes']),
    );
    for (const { startTimeUnixNano, endTimeUnixNano } of within) {
      expect(BigInt(startTimeUnixNano) >= BigInt(request?.startTimeUnixNano ?? 0)).toBe(true);
      expect(BigInt(endTimeUnixNano) <= BigInt(request?.endTimeUnixNano ?? 0)).toBe(true);
    }
    const [record] = (await readTopic(topicName(prefix, topics.userEvents))).filter(({ key }) => key === user.id);
    expect(record?.headers.traceparent).toBe(`00-${traceId}-${request?.spanId}-01`);
    const openIds = await acme.database.query<{ open_id: string }>('SELECT open_id FROM identity');
    expect(openIds.filter(({ open_id }) => traces.text().includes(open_id))).toEqual([]);
    expect(traces.text()).toContain('"x-tenant":"acme inc"');
  });

  it('an observation by Kafka is followed from its producer through its statements to the record of its event', async () => {
    const [traceId, sender] = [randomBytes(16).toString('hex'), randomBytes(8).toString('hex')];
    const headers = { traceparent: `00-${traceId}-${sender}-01` };
    const observations = topicName(prefix, topics.observations);
    const value = JSON.stringify({ appId: 'shop', openId: 'oSeenAndTraced' });
    await produce(observations, [{ key: 'shop:oSeenAndTraced', value, headers }]);
    const ofTrace = () => traces.spans.filter((span) => span.traceId === traceId);
    const patience = { timeoutMs: 60_000, what: 'the whole trace' };
    await until(() => [3, 4, 5].every((one) => ofTrace().some(({ kind }) => kind === one)), patience);
    const [taken] = ofTrace().filter(({ kind }) => kind === 5);
    expect(taken).toMatchObject({
      service: 'unionlink-relay',
      name: `process ${observations}`,
      parentSpanId: sender,
      attributes: { 'messaging.destination.name': observations, 'messaging.kafka.offset': '0' },
    });
    const within = ofTrace().filter(({ kind }) => kind === 3 || kind === 4);
    expect(new Set(within.map(({ parentSpanId }) => parentSpanId))).toEqual(new Set([taken?.spanId]));
    expect(within.map(({ name }) => name)).toEqual(expect.arrayContaining(['lock-and-load', 'apply-changes']));
    expect(traces.text()).not.toContain('oSeenAndTraced');
    const refused = { not_json: '{', invalid_request: '{}', app_not_found: '{"appId":"nobodys","openId":"oSeen"}' };
    await produce(
      observations,
      Object.values(refused).map((text) => ({ key: 'refused', value: text, headers })),
    );
    const failed = () =>
      ofTrace().flatMap(({ kind, status, attributes }) =>
        kind === 5 && status?.code === 2 ? [String(attributes['error.type'])] : [],
      );
    await until(() => failed().length >= 3, patience);
    expect(failed().toSorted()).toEqual(Object.keys(refused).toSorted());
  });

  it('a request whose caller does not trace leaves no span, and its trace goes on all the same', async () => {
    const traceId = randomBytes(16).toString('hex');
    const headers = { traceparent: `00-${traceId}-${'1'.repeat(16)}-00` };
    const { user } = ok(await post('/v1/identities/resolve', { appId: 'shop', openId: 'oUntraced' }, headers)).body;
    const journal = await acme.database.query('SELECT traceparent FROM journal WHERE user_id = $1', [user.id]);
    expect(journal).toEqual([{ traceparent: expect.stringMatching(`^00-${traceId}-[0-9a-f]{16}-00$`) }]);
    // A later one that is traced has arrived: this one would have come before it.
    const later = randomBytes(16).toString('hex');
    const traced = { traceparent: `00-${later}-${'1'.repeat(16)}-01` };
    await post('/v1/identities/resolve', { appId: 'shop', openId: 'oUntraced' }, traced);
    await until(() => traces.spans.some((span) => span.traceId === later), { timeoutMs: 60_000 });
    expect(traces.spans.filter((span) => span.traceId === traceId)).toEqual([]);
  });

  it('a secret that comes in comes out nowhere: no answer, event, row, span or log line holds one', async () => {
    await everyDoor();
    await everyFailure();
    await everyPush();
    await until(async () => (await acme.operator.get('/v1/stats')).body.publishLag.events === 0, {
      timeoutMs: 60_000,
      what: 'everything published',
    });
    for (const heard of tap.heard) secrets.add(heard);
    // Of the first login alone: the app's secret, the code and the session key.
    expect(tap.heard.size).toBeGreaterThan(30);
    const places = await everything();
    const found = [
      ...leaks([...secrets, operatorKey, secretsKey], [...answers, ...places]),
      // Told to their caller, and to nobody else.
      ...leaks([...issued], places),
    ];
    expect(found).toEqual([]);
    expect(places.length).toBeGreaterThan(50);
  }, 240_000);
});

/** Which secret is where, in any of the forms it travels in. */
function leaks(secrets: readonly string[], places: readonly Place[]): string[] {
  return secrets.flatMap((secret) => {
    const forms = [
      secret,
      encodeURIComponent(secret),
      new URLSearchParams([['', secret]]).toString().slice(1),
      JSON.stringify(secret).slice(1, -1),
      Buffer.from(secret).toString('hex'),
      Buffer.from(secret).toString('base64').replace(/=+$/, ''),
    ];
    return places
      .filter(({ text }) => forms.some((form) => text.includes(form)))
      .map(({ where }) => `${secret.slice(0, 18)}… in ${where}`);
  });
}
