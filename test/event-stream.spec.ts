import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { type Acme, ok, startAcme } from './harness/acme.js';
import type { Http, Json } from './harness/http.js';
import { type App, operatorKey, startApi } from './harness/processes.js';
import { until } from './harness/until.js';

const patience = { timeoutMs: 30_000, intervalMs: 20 };

/** What a reader has been told so far. */
interface Reader {
  readonly status: number;
  text(): string;
  events(): readonly { readonly id: string; readonly event: Json }[];
  isOver(): boolean;
  leave(): void;
}

function readerOf(answer: IncomingMessage): Reader {
  let text = '';
  let isOver = false;
  answer.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  answer.on('error', () => undefined).on('close', () => (isOver = true));
  return {
    status: answer.statusCode ?? 0,
    text: () => text,
    events: () =>
      [...text.matchAll(/^id: (.*)\nevent: .*\ndata: (.*)\n\n/gm)].map(([, id = '', data = '']) => ({
        id,
        event: JSON.parse(data),
      })),
    isOver: () => isOver,
    leave: () => answer.destroy(),
  };
}

async function endOfFeed(client: Http): Promise<string> {
  for (let after = ''; ;) {
    const { items, nextCursor } = ok(await client.get(`/v1/events?limit=200${after}`)).body;
    if (items.length === 0) return nextCursor;
    after = `&after=${nextCursor}`;
  }
}

async function openStreams(api: App): Promise<number> {
  const page = await (await fetch(`${api.url}/metrics`)).text();
  return Number(/^unionlink_event_streams (\d+)$/m.exec(page)?.[1]);
}

/** Asks for the stream from its start, and reads nothing of it. */
function asks(api: App, key: string): Socket {
  const socket = connect(api.port, '127.0.0.1');
  socket.on('error', () => undefined);
  const headers = ['Host: x', `Authorization: Bearer ${key}`, 'Accept: text/event-stream'];
  socket.write(`GET /v1/events HTTP/1.1\r\n${headers.join('\r\n')}\r\n\r\n`);
  return socket;
}

/** `GET /v1/events` with `Accept: text/event-stream`, beside every other route: it is an answer without an end. */
describe('The stream of events', () => {
  let acme: Acme;
  let stranger: Http;
  let strangerKey: string;
  let next = 0;
  const readers: Reader[] = [];
  const fresh = (): string => `o${(next += 1)}-${'xyz'.repeat(3)}`;
  const apiUrl = (): string => acme.apis[0]?.url ?? '';

  beforeAll(async () => {
    acme = await startAcme();
    ok(await acme.operator.put('/v1/entities/other', { name: 'Other' }));
    ok(await acme.operator.put('/v1/entities/other/apps/b1', { kind: 'mini_program', name: 'b1' }));
    strangerKey = (await keyOf('other')).key;
    stranger = acme.operator.as(strangerKey);
  });
  afterEach(() => {
    for (const reader of readers.splice(0)) reader.leave();
  });
  afterAll(() => acme.stop());

  const keyOf = async (entityId: string): Promise<{ id: string; key: string }> =>
    ok(await acme.operator.post('/v1/api-keys', { entityId, name: 'k', scopes: ['ingest', 'read'] })).body;

  const open = (
    { path = '/v1/events', key = operatorKey, method = 'GET', url = apiUrl() },
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Reader> =>
    new Promise((resolve, reject) => {
      const all = { authorization: `Bearer ${key}`, accept: 'text/event-stream', ...headers };
      const sent = request(url + path, { method, headers: all }, (answer) => {
        const reader = readerOf(answer);
        readers.push(reader);
        resolve(reader);
      });
      sent.on('error', reject).end();
    });

  const born = async (): Promise<string> => (await acme.resolved('a1', fresh())).user.id;
  const subjects = (reader: Reader): string[] => reader.events().map(({ event }) => event.subject);
  const hears = (reader: Reader, ...ids: string[]): Promise<unknown> =>
    until(() => ids.every((id) => subjects(reader).includes(id)), patience);

  it('goes on behind the Last-Event-ID, also where the URL still says where it began', async () => {
    const path = `/v1/events?after=${await endOfFeed(acme.operator)}`;
    const [one, two] = [await born(), await born()];
    const first = await open({ path });
    await hears(first, one, two);
    const three = await born();
    for (const [n, { id }] of first.events().slice(0, 2).entries()) {
      const again = await open({ path }, { 'last-event-id': id });
      await hears(again, three);
      expect(subjects(again)).toEqual(n === 0 ? [two, three] : [three]);
    }
  });

  it('refuses a Last-Event-ID that is no place in it', async () => {
    for (const id of ['rubbish', '1.0..0.0', '1.1.0.0.0', '1.0.1-1..0', '42', '%00', 'x'.repeat(9_000)]) {
      const { status } = await open({}, { 'last-event-id': id });
      expect([id, status]).toEqual([id, 400]);
      expect([id, (await acme.operator.get(`/v1/events?after=${encodeURIComponent(id)}`)).status]).toEqual([id, 400]);
    }
  });

  it('tells a key nothing of another entity, whatever place it is asked to go on from', async () => {
    const start = await endOfFeed(acme.operator);
    const theirs = await born();
    const own = ok(await stranger.post('/v1/identities/resolve', { appId: 'b1', openId: fresh() })).body.user.id;
    const all = await open({}, { 'last-event-id': start });
    await hears(all, theirs, own);
    for (const place of [start, all.events()[0]?.id ?? '', '1.0...0', '1.0..zzzzz.0']) {
      const reader = await open({ key: strangerKey }, { 'last-event-id': place });
      await hears(reader, own);
      const { items } = ok(await stranger.get(`/v1/events?limit=200&after=${place}`)).body;
      const entities = [...reader.events().map(({ event }) => event), ...items].map(({ entityid: id }: Json) => id);
      expect([place, new Set(entities)]).toEqual([place, new Set(['other'])]);
    }
  });

  it('tells nothing more to a key that was revoked', async () => {
    const { id, key } = await keyOf('acme');
    const reader = await open({ key });
    const before = await born();
    await hears(reader, before);
    ok(await acme.operator.delete(`/v1/api-keys/${id}`));
    const after = await born();
    await until(() => reader.isOver(), patience);
    expect(subjects(reader)).toContain(before);
    expect(reader.text()).not.toContain(after);
  });

  it('is over when the journal cannot be read, and the process serves on', async () => {
    const reader = await open({});
    await hears(reader, await born());
    await acme.database.query('ALTER TABLE journal RENAME TO journal_elsewhere');
    await until(() => reader.isOver(), patience).finally(() =>
      acme.database.query('ALTER TABLE journal_elsewhere RENAME TO journal'),
    );
    await hears(await open({}), await born());
    expect((await fetch(`${apiUrl()}/readyz`)).status).toBe(200);
  });

  it('says while it has nothing to tell that it is still there', async () => {
    const reader = await open({ path: '/v1/events?types=identity.UserErased.v1' });
    await until(() => reader.text() !== '', patience);
    const told = reader.text();
    await until(() => reader.text().length > told.length, patience);
    expect(reader.text().slice(told.length)).toMatch(/^:[^\n]*\n\n$/);
  }, 60_000);

  it('is none where only the head of the answer is asked for', async () => {
    const reader = await open({ method: 'HEAD' });
    await until(() => reader.isOver(), patience);
    expect([reader.status, reader.text()]).toEqual([200, '']);
  });

  describe('with readers that do not read', () => {
    beforeAll(async () => {
      const items = Array.from({ length: 200 }, () => ({ appId: 'a1', openId: fresh() }));
      ok(await acme.operator.post('/v1/identities/resolve/batch', { items }));
      // More than what the connections of a machine take up by themselves.
      await acme.database.query(
        `UPDATE journal SET data = (data::jsonb || jsonb_build_object('padding', repeat('x', 100000)))::json`,
      );
    });

    it('forgets those that go, and ends in time though others stay', async () => {
      const api = await startApi({ databaseUrl: acme.database.url });
      const sockets = Array.from({ length: 10 }, () => asks(api, operatorKey));
      await Promise.all(sockets.map((socket) => once(socket, 'readable')));
      expect(await openStreams(api)).toBe(10);
      for (const socket of sockets.slice(1)) socket.destroy();
      await until(async () => (await openStreams(api)) === 1, patience);
      const toldAt = performance.now();
      expect(await api.stop()).toMatchObject({ code: 0 });
      expect(performance.now() - toldAt).toBeLessThan(8_000);
      sockets[0]?.destroy();
    }, 60_000);

    it('opens none for who has gone while the key was looked up', async () => {
      const api = await startApi({ databaseUrl: acme.database.url });
      // The look-up waits here, so that it is sure who comes first.
      await acme.database.query('BEGIN');
      await acme.database.query('LOCK TABLE api_key');
      const waiting = `SELECT FROM pg_locks WHERE NOT granted AND relation = 'api_key'::regclass
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`;
      const areWaiting = (count: number): Promise<unknown> =>
        until(async () => (await acme.database.query(waiting)).length === count, patience);
      const going = asks(api, strangerKey);
      await areWaiting(1);
      const staying = open({ url: api.url, key: strangerKey });
      await areWaiting(2);
      going.destroy();
      // Answered by the process behind what it hears of the reader.
      for (let n = 0; n < 3; n += 1) await openStreams(api);
      await acme.database.query('ROLLBACK');
      const reader = await staying;
      await until(() => reader.text() !== '', patience);
      expect(await openStreams(api)).toBe(1);
      expect(await api.stop()).toMatchObject({ code: 0 });
    }, 60_000);
  });
});
