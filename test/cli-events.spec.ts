import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Client } from 'pg';
import { root } from '../tools/machine.js';
import { Database, readRelayLag } from '../libs/store/src/index.js';
import { type CliEnding, runCli } from './harness/cli.js';
import { type Database as TestDatabase, freshDatabase } from './harness/database.js';
import { createSmallTopics, freshTopicPrefix, type KafkaRecord, readTopic } from './harness/kafka.js';
import { startRelay } from './harness/processes.js';
import { services } from './harness/services.js';
import { until } from './harness/until.js';
import { change, connect, createUsers, notice } from './relay-people.js';

const prefix = freshTopicPrefix();
const topic = (name: string): string => `${prefix}identity.${name}.v1`;

let fresh: TestDatabase;
let client: Client;
let database: Database;
let users: string[];

const events = (...args: string[]): Promise<CliEnding> =>
  runCli(fresh.url, ['events', ...args], { KAFKA_BROKERS: services.kafkaBrokers, KAFKA_TOPIC_PREFIX: prefix });

const idsOf = async (name: string, userId: string): Promise<string[]> =>
  (await readTopic(topic(name))).filter(({ key }) => key === userId).map(({ headers }) => headers.ce_id ?? '');

const linesOf = (text: string): { id: string; type: string; subject: string }[] =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as { id: string; type: string; subject: string });

const contentOf = ({ key, value, headers }: KafkaRecord): string => JSON.stringify([key, value, headers]);

const userAt = (index: number): string => users[index] ?? '';

/** Five users of three versions each, one of them with a notice; all of it published, and the relay stopped. */
beforeAll(async () => {
  [fresh] = await Promise.all([freshDatabase(), createSmallTopics(prefix)]);
  client = await connect(fresh.url);
  database = new Database({ url: fresh.url, poolMax: 2, applicationName: 'spec' });
  users = await createUsers(client, 5);
  for (const userId of [...users, ...users]) await change(client, userId);
  await notice(client, userAt(0));
  const relay = await startRelay({ databaseUrl: fresh.url, env: { KAFKA_TOPIC_PREFIX: prefix } });
  await until(async () => (await readRelayLag(database)).events === 0, { timeoutMs: 60_000 });
  await relay.stop();
}, 180_000);

afterAll(async () => {
  await client.end();
  await database.close();
  await fresh.drop();
});

describe('npm run cli -- events', () => {
  it('tail prints the last events as the feed has them, and narrows them down', async () => {
    const all = await events('tail', '--last', '100');
    expect(all).toMatchObject({ code: 0, stderr: '' });
    const rows = await fresh.query<{ event_id: string }>('SELECT event_id FROM journal ORDER BY id');
    expect(linesOf(all.stdout).map(({ id }) => id)).toEqual(rows.map((row) => row.event_id));
    const last = await events('tail', '--last', '2');
    expect(linesOf(last.stdout)).toEqual(linesOf(all.stdout).slice(-2));
    const narrow = await events('tail', '--user', userAt(0), '--type', 'identity.UserLinked.v1', '--entity', 'acme');
    expect(linesOf(narrow.stdout)).toHaveLength(3);
    expect(linesOf(narrow.stdout).every(({ subject }) => subject === userAt(0))).toBe(true);
    expect((await events('tail', '--entity', 'another')).stdout).toBe('');
    expect((await events('tail', '--to', '2020-01-01T00:00:00Z')).stdout).toBe('');
  });

  it('replay publishes again what was published, the same and in order, and nothing else', async () => {
    const [one, other] = [userAt(1), userAt(2)];
    const before = await readTopic(topic('user-events'));
    expect(await events('replay', '--user', one, '--dry-run')).toMatchObject({
      code: 0,
      stdout: '3 events would be published again\n',
    });
    // Its fourth step waits for a relay: told before it, it would have no predecessor.
    await change(client, one);
    expect(await events('replay', '--user', one)).toMatchObject({ code: 0, stdout: '3 events published again\n' });
    const ids = await idsOf('user-events', one);
    expect(ids).toHaveLength(6);
    expect(ids.slice(3)).toEqual(ids.slice(0, 3));
    expect(await idsOf('user-events', other)).toHaveLength(3);
    const after = await readTopic(topic('user-events'));
    expect(new Set(after.map(contentOf))).toEqual(new Set(before.map(contentOf)));
  });

  it('replay takes a time range, an entity, or all of it, notices too', async () => {
    const from = new Date(Date.now() - 3_600_000).toISOString();
    const published = 'events would be published again\n';
    expect((await events('replay', '--from', from, '--dry-run')).stdout).toBe(`16 ${published}`);
    expect((await events('replay', '--to', from, '--dry-run')).stdout).toBe(`0 ${published}`);
    expect((await events('replay', '--entity', 'another', '--dry-run')).stdout).toBe(`0 ${published}`);
    const notices = await idsOf('notices', userAt(0));
    expect(await events('replay', '--all')).toMatchObject({ code: 0, stdout: '16 events published again\n' });
    expect(await idsOf('notices', userAt(0))).toEqual([...notices, ...notices]);
  });

  it('snapshot tells everybody’s state as it is now', async () => {
    await change(client, userAt(3));
    expect(await events('snapshot', '--all')).toMatchObject({ code: 0, stdout: '5 states told\n' });
    const states = (await readTopic(topic('user-states'))).map(({ value }): { id: string; version: number } =>
      JSON.parse(value ?? 'null'),
    );
    const last = new Map(states.map((state) => [state.id, state.version]));
    const rows = await fresh.query<{ id: string; version: string }>('SELECT id, version FROM users');
    expect(last).toEqual(new Map(rows.map(({ id, version }) => [id, Number(version)])));
    expect((await events('snapshot', '--user', userAt(4), '--dry-run')).stdout).toBe('1 states would be told\n');
  });

  it('tail --follow goes on with what happens, until it is told to stop', async () => {
    const child = spawn(
      process.execPath,
      [join(root, 'dist', 'tools', 'cli.js'), 'events', 'tail', '--last', '0', '-f', '--user', userAt(0)],
      { env: { PATH: process.env.PATH, DATABASE_URL: fresh.url }, stdio: ['ignore', 'pipe', 'inherit'] },
    );
    const lines: string[] = [];
    createInterface(child.stdout).on('line', (line) => lines.push(line));
    const exited = once(child, 'exit');
    // It says nothing before something happens; so something happens until it has said it.
    const isHeard = async (): Promise<boolean> => {
      await change(client, userAt(0));
      await change(client, userAt(1));
      return lines.length > 0;
    };
    await until(isHeard, { timeoutMs: 60_000 });
    child.kill('SIGINT');
    expect(await exited).toEqual([0, null]);
    expect(linesOf(lines.join('\n')).every(({ subject }) => subject === userAt(0))).toBe(true);
  });

  it.each([
    [['replay'], 'Say which events'],
    [['replay', '--all', '--user', 'me'], '--user is a userId, not "me"'],
    [['replay', '--from', 'yesterday'], '--from is a time such as 2026-11-23T08:00:00Z, not "yesterday"'],
    [['replay', '--type', 'identity.Nothing.v1'], '--type is one of identity.UserLinked.v1'],
    [['snapshot', '--all', '--entity', 'acme'], 'Say whose states'],
    [['tail', '--nothing'], "Unknown option '--nothing'"],
  ])('%j is refused with what is wrong, and exit code 1', async (args, message) => {
    const { code, stdout, stderr } = await events(...args);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toContain(message);
    expect(stderr).not.toContain('    at ');
  });

  it('explains itself, and says which setting is missing', async () => {
    for (const args of [['--help'], ['replay', '--help']]) {
      const { code, stdout } = await events(...args);
      expect(code).toBe(0);
      expect(stdout).toContain('events snapshot (--all');
    }
    expect((await runCli(fresh.url, ['--help'])).stdout).toContain('events');
    const without = await runCli(fresh.url, ['events', 'replay', '--all']);
    expect(without.code).toBe(1);
    expect(without.stderr).toContain('KAFKA_BROKERS: it is not set');
    const nowhere = await runCli('', ['events', 'tail']);
    expect(nowhere.stderr).toContain('DATABASE_URL: it is not set');
  });
});
