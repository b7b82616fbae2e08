import { createServer } from 'node:http';
import { freePort } from '../tools/machine.js';
import { freshDatabase } from './harness/database.js';
import { http } from './harness/http.js';
import { collectRecords, createTopic, eventsOf, freshTopicPrefix, kafkaClient, readTopic } from './harness/kafka.js';
import { until } from './harness/until.js';

describe('The harness', () => {
  it('gives each spec a migrated database of its own', async () => {
    const [one, other] = await Promise.all([freshDatabase(), freshDatabase()]);
    expect(one.name).not.toBe(other.name);
    await one.query('CREATE TABLE here (id int)');
    const found = await other.query<{ here: string | null; books: string | null }>(
      `SELECT to_regclass('here') AS here, to_regclass('_prisma_migrations') AS books`,
    );
    expect(found).toEqual([{ here: null, books: '_prisma_migrations' }]);
    await one.drop();
    await other.drop();
    await expect(one.query('SELECT 1')).rejects.toThrow('does not exist');
  });

  it('reads a topic from its beginning to its end, tombstones and headers included', async () => {
    const topic = `${freshTopicPrefix()}events`;
    await createTopic(topic);
    expect(await readTopic(topic)).toEqual([]);
    const producer = kafkaClient().producer({ idempotent: true, maxInFlightRequests: 1 });
    await producer.connect();
    await producer.send({
      topic,
      acks: -1,
      messages: [
        { key: 'a', value: '{"n":1}', headers: { ce_id: '7' } },
        { key: 'a', value: '{"n":2}' },
        { key: 'a', value: null },
      ],
    });
    await producer.disconnect();
    const records = await readTopic(topic);
    expect(eventsOf(records)).toEqual([{ n: 1 }, { n: 2 }, null]);
    expect(records[0]).toMatchObject({ key: 'a', offset: 0n, headers: { ce_id: '7' } });
    const first = await collectRecords(topic, (seen) => seen.length > 0);
    expect(first.length).toBeGreaterThan(0);
  });

  it('speaks JSON over HTTP, bearer key included', async () => {
    const server = createServer((request, response) => {
      response.setHeader('content-type', 'application/json');
      response.statusCode = request.method === 'PUT' ? 201 : 200;
      response.end(JSON.stringify({ method: request.method, key: request.headers.authorization ?? null }));
    });
    const port = await freePort();
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    const client = http(`http://127.0.0.1:${port}`, 'secret');
    expect(await client.put('/x', {})).toMatchObject({ status: 201, body: { method: 'PUT', key: 'Bearer secret' } });
    expect((await client.as(undefined).get('/x')).body).toEqual({ method: 'GET', key: null });
    server.closeAllConnections();
    server.close();
  });

  it('says what it waited for when a condition stays false', async () => {
    await expect(until(() => false, { timeoutMs: 20, intervalMs: 5, what: 'rain' })).rejects.toThrow('rain');
  });
});
