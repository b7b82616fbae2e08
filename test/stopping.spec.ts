import { Agent, request } from 'node:http';
import { freshDatabase } from './harness/database.js';
import { http } from './harness/http.js';
import { operatorKey, startApi } from './harness/processes.js';
import { counted, shortOrWhole } from './harness/torture.js';

/** What became of a request: its status, or the code of the error. */
type Fate = number | string;

describe('An API that is told to stop under load', () => {
  const times = shortOrWhole(2, 100);

  it(
    `answers what it took, then closes the door and ends, ${times} times`,
    async () => {
      const database = await freshDatabase();
      const first = await startApi({ databaseUrl: database.url });
      const operator = http(first.url, operatorKey);
      await operator.put('/v1/entities/acme', { name: 'Acme' });
      await operator.put('/v1/entities/acme/apps/a1', { kind: 'mini_program', name: 'a1', openPlatformId: null });
      await first.stop();
      let answered = 0;
      let slowestMs = 0;
      for (let time = 0; time < times; time += 1) {
        const api = await startApi({ databaseUrl: database.url });
        const fates = new Map<Fate, number>();
        const agent = new Agent({ keepAlive: true, maxSockets: 32 });
        // Each goes on until the door is closed to new connections.
        const client = async (name: number): Promise<void> => {
          for (let turn = 0; ; turn += 1) {
            const fate = await resolve(agent, api.url, `o${time}-${name}-${turn}-person`);
            fates.set(fate, (fates.get(fate) ?? 0) + 1);
            if (fate === 'ECONNREFUSED') return;
          }
        };
        const clients = Promise.all(Array.from({ length: 32 }, (_, name) => client(name)));
        while ((fates.get(200) ?? 0) < 100) await new Promise(setImmediate);
        const toldAt = performance.now();
        const { code } = await api.stop();
        await clients;
        agent.destroy();
        expect([time, code, new Set(fates.keys())]).toEqual([time, 0, new Set<Fate>([200, 'ECONNREFUSED'])]);
        const tookMs = performance.now() - toldAt;
        expect(tookMs).toBeLessThan(10_000);
        answered += fates.get(200) ?? 0;
        slowestMs = Math.max(slowestMs, tookMs);
      }
      await database.drop();
      counted('stops under load', { times, answered, slowestMs: Math.round(slowestMs) });
    },
    shortOrWhole(900_000, 3_600_000),
  );
});

/** A first login, over connections that are kept alive as a back end keeps them. */
function resolve(agent: Agent, url: string, openId: string): Promise<Fate> {
  return new Promise((done) => {
    const headers = { authorization: `Bearer ${operatorKey}`, 'content-type': 'application/json' };
    const sent = request(`${url}/v1/identities/resolve`, { agent, method: 'POST', headers }, (answer) => {
      answer.resume().on('end', () => done(answer.statusCode ?? 0));
      answer.on('error', (error: NodeJS.ErrnoException) => done(error.code ?? 'error'));
    });
    sent.on('error', (error: NodeJS.ErrnoException) => done(error.code ?? 'error'));
    sent.end(JSON.stringify({ appId: 'a1', openId }));
  });
}
