import { mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Acme, brokenInvariants, ok, startAcme } from './harness/acme.js';
import { runCli } from './harness/cli.js';
import type { Answer, Json } from './harness/http.js';
import { csv, importsOf, ndjson, textOf } from './harness/imports.js';
import { type App, startApi } from './harness/processes.js';
import { services } from './harness/services.js';
import { shortOrWhole } from './harness/torture.js';
import { until } from './harness/until.js';

/** Scenario 27 with its neighbours. */
describe('Imports', () => {
  let acme: Acme;
  const restarted: App[] = [];
  let next = 0;
  const fresh = (letter: string): string => `${letter}${(next += 1)}-${'xyz'.repeat(3)}`;

  beforeAll(async () => {
    acme = await startAcme();
  });
  afterEach(async () => {
    const broken = await brokenInvariants(acme.database);
    if (broken.length > 0) throw new Error(`broken: ${JSON.stringify(broken)}`);
  });
  afterAll(async () => {
    await Promise.all(restarted.map((api) => api.stop()));
    await acme.stop();
  });
  const imports = importsOf(() => acme);
  const cli = (...args: readonly string[]) => runCli(acme.database.url, ['import', ...args]);
  const { stateOf, ended, imported, ownerOf, count } = imports;

  it('begin at the command line too, which works the job off, lists the bad lines and resumes what was broken off', async () => {
    const folder = mkdtempSync(join(services.folder, 'import-'));
    const [o1, o2, u] = [fresh('o'), fresh('o'), fresh('u')];
    const file = join(folder, 'people.ndjson');
    writeFileSync(
      file,
      textOf([{ appId: 'a1', openId: o1, unionId: u }, { appId: 'a2' }, { appId: 'a2', openId: o2, unionId: u }]),
    );
    const done = await cli('identities', file, '--entity', 'acme');
    expect([done.code, done.stdout]).toEqual([0, expect.stringContaining('done: 3 of 3 lines, 1 failed')]);
    expect(done.stdout).toContain('line 2: invalid_request');
    expect((await ownerOf('a2', o2)).body.user.id).toBe((await ownerOf('a1', o1)).body.user.id);
    const id = /import ([0-9a-f-]{36})/.exec(done.stdout)?.[1] ?? '';
    expect((await cli('show', id)).stdout).toContain('done: 3 of 3 lines');
    expect((await cli('resume', id)).code).toBe(0);
    for (const [args, message] of [
      [['identities', file], '--entity'],
      [['identities', file, '--entity', 'nobody'], 'entity_not_found'],
      [['followers', '--entity', 'acme'], 'appId says whose followers'],
    ] as const) {
      const { code, stderr } = await cli(...args);
      expect([args, code, stderr]).toEqual([args, 1, expect.stringContaining(message)]);
    }
  });

  describe('of identities', () => {
    it('takes lines as NDJSON, CSV or JSON items, and makes of them what logins would', async () => {
      const [o1, o2, o3, u] = [fresh('o'), fresh('o'), fresh('o'), fresh('u')];
      const answer = await acme.operator.post(
        '/v1/imports?kind=identities&entityId=acme',
        textOf([{ appId: 'a1', openId: o1, unionId: u }, '', { appId: 'a2', openId: ` ${o2} `, unionId: 'null' }]),
        ndjson,
      );
      expect([answer.status, answer.body.kind, answer.body.total]).toEqual([202, 'identities', 2]);
      expect(await ended(answer.body.id)).toMatchObject({
        status: 'done',
        total: 2,
        done: 2,
        failed: 0,
        errors: [],
        outcomes: { created: 2 },
      });
      const table = `\uFEFFopenId,appId,"unionId",firstSeenAt\r\n"${o2}",a2,${u},\r\n\r\n${o3},a3,${u},2020-01-01T00:00:00Z\r\n`;
      const posted = ok(await acme.operator.post('/v1/imports?kind=identities&entityId=acme', table, csv));
      expect(await ended(posted.body.id)).toMatchObject({ done: 2, failed: 0, outcomes: { merged: 1, linked: 1 } });
      const items = [{ appId: 'a4', openId: fresh('o'), unionId: u }];
      const third = ok(await acme.operator.post('/v1/imports', { kind: 'identities', entityId: 'acme', items }));
      expect(await ended(third.body.id)).toMatchObject({ done: 1, outcomes: { linked: 1 } });
      const { user } = ok(await ownerOf('a1', o1)).body;
      expect(user.identities.map(({ appId }: Json) => appId)).toEqual(expect.arrayContaining(['a1', 'a2', 'a3', 'a4']));
      const { items: history } = ok(await acme.operator.get(`/v1/users/${user.id}/history`)).body;
      expect(new Set(history.map(({ cause }: Json) => cause))).toEqual(new Set(['import']));
    });

    it('makes a user as old as the earliest line says, and leaves a known identity as old as it was', async () => {
      const [o1, o2, o3, u, known] = [fresh('o'), fresh('o'), fresh('o'), fresh('u'), fresh('o')];
      const before = await acme.resolved('a1', known);
      await imported('identities', [
        { appId: 'a1', openId: o1, unionId: u, firstSeenAt: '2021-05-01T00:00:00Z' },
        { appId: 'a2', openId: o2, unionId: u, firstSeenAt: '2019-05-01T08:00:00+08:00' },
        { appId: 'a3', openId: o3, unionId: u, firstSeenAt: '2020-05-01T00:00:00Z' },
        { appId: 'a1', openId: known, firstSeenAt: '2018-01-01T00:00:00Z' },
      ]);
      const { user } = ok(await ownerOf('a1', o1)).body;
      expect([user.createdAt, user.identities.length]).toEqual(['2019-05-01T00:00:00.000Z', 3]);
      expect(ok(await ownerOf('a1', known)).body.user.createdAt).toBe(before.user.createdAt);
      // Somebody who logs in keeps the age, and one folded in and out again takes nothing of it away.
      const other = (await acme.resolved('a4', fresh('o'))).user;
      const late = fresh('o');
      await imported('identities', [{ appId: 'a4', openId: late, unionId: u, firstSeenAt: '2016-01-01T00:00:00.5Z' }]);
      const merge = { targetUserId: user.id, sourceUserIds: [other.id], reason: 'spec' };
      const { mergeId } = ok(await acme.operator.post('/v1/merges', merge)).body.results[0];
      ok(await acme.operator.post(`/v1/merges/${mergeId}/revert`, { reason: 'spec' }));
      expect((await acme.user(user.id)).body.createdAt).toBe('2016-01-01T00:00:00.500Z');
    });

    it('reports bad lines by their number and applies the good ones once, however often it is run', async () => {
      const lines: unknown[] = Array.from({ length: 1_000 }, (_, n) => ({
        appId: `a${(n % 4) + 1}`,
        openId: fresh('o'),
      }));
      const bad: Readonly<Record<number, [unknown, string]>> = {
        7: ['{"appId":', 'invalid_request'],
        8: ['[]', 'invalid_request'],
        9: [{ appId: 'a1' }, 'invalid_request'],
        10: [{ appId: 'a1', openId: 5 }, 'invalid_request'],
        11: [{ appId: 'a1', openId: 'undefined' }, 'invalid_request'],
        12: [{ appId: 'a1', openId: 'with blank' }, 'invalid_request'],
        13: [{ appId: 'a1', openId: fresh('o'), nickname: 'x' }, 'invalid_request'],
        14: ['{"appId":"a1","openId":"o-proto","__proto__":{"unionId":"u-proto"}}', 'invalid_request'],
        15: [{ appId: 'a1', openId: fresh('o'), firstSeenAt: '2999-01-01T00:00:00Z' }, 'invalid_request'],
        16: [{ appId: 'a1', openId: fresh('o'), firstSeenAt: '2020-02-30T00:00:00Z' }, 'invalid_request'],
        500: [{ appId: 'nowhere', openId: fresh('o') }, 'app_not_found'],
        999: ['null', 'invalid_request'],
      };
      for (const [line, [content]] of Object.entries(bad)) lines[Number(line) - 1] = content;
      const wrong = Object.entries(bad).map(([line, [, code]]) => [Number(line), code]);
      const first = await imported('identities', lines);
      expect(first).toMatchObject({
        status: 'done',
        total: 1_000,
        done: 1_000,
        failed: 12,
        outcomes: { created: 988 },
      });
      expect(first.errors.map(({ line, code }: Json) => [line, code])).toEqual(wrong);
      expect(JSON.stringify(first.errors)).not.toContain('o-proto');
      const events = await count('journal');
      const second = await imported('identities', lines);
      expect(second).toMatchObject({ done: 1_000, failed: 12, outcomes: { unchanged: 988 } });
      expect(second.errors).toEqual(first.errors);
      expect(await count('journal')).toBe(events);
      expect(await count('import_line')).toBe(0);
    });

    it('says in a dry run what would happen, and changes nothing', async () => {
      const [o1, u] = [fresh('o'), fresh('u')];
      const events = await count('journal');
      const lines = [{ appId: 'a1', openId: o1, unionId: u }, { appId: 'a2', openId: fresh('o'), unionId: u }, 'x'];
      const job = await imported('identities', lines, '&dryRun=true');
      expect(job).toMatchObject({ dryRun: true, done: 3, failed: 1, outcomes: { created: 1, linked: 1 } });
      expect(await count('journal')).toBe(events);
      expect((await ownerOf('a1', o1)).status).toBe(404);
    });

    it('does not bring an erased person back out of an older list', async () => {
      const openId = fresh('o');
      const { user } = await acme.resolved('a1', openId);
      ok(await acme.operator.delete(`/v1/users/${user.id}?reason=spec`));
      const line = { appId: 'a1', openId, firstSeenAt: '2020-01-01T00:00:00Z' };
      expect((await imported('identities', [line])).errors).toMatchObject([{ line: 1, code: 'observation_stale' }]);
      expect((await ownerOf('a1', openId)).status).toBe(404);
    });

    it('goes on after kill -9 where it stood, and applies each line once', async () => {
      const lines = Array.from({ length: shortOrWhole(3_000, 60_000) }, () => ({ appId: 'a1', openId: fresh('o') }));
      const before = await count('journal');
      const id = await imports.begin('identities', lines);
      const [api] = acme.apis;
      if (api === undefined) throw new Error('an API runs');
      const cut = await until(
        async () => {
          const job = await stateOf(id);
          return job.done > 0 ? job : null;
        },
        { timeoutMs: 60_000, intervalMs: 5, what: 'the first portion' },
      );
      await api.kill();
      expect(cut.done).toBeLessThan(lines.length);
      restarted.push(await startApi({ databaseUrl: acme.database.url, port: api.port }));
      expect((await stateOf(id)).done).toBeLessThan(lines.length);
      expect(await ended(id)).toMatchObject({ status: 'done', total: lines.length, done: lines.length, failed: 0 });
      expect((await stateOf(id)).outcomes).toEqual({ created: lines.length });
      expect((await count('journal')) - before).toBe(lines.length);
    }, 120_000);
  });

  it('are refused whole only where nothing of them can be understood', async () => {
    const post = async (query: string, body: unknown, options = {}): Promise<unknown[]> => {
      const { status, body: problem } = await acme.operator.post(`/v1/imports${query}`, body, options);
      return [status, problem.code, problem.errors?.[0]?.path];
    };
    const here = '?entityId=acme';
    expect(await post(`${here}&kind=identities`, 'nothing,known\n1,2', csv)).toEqual([400, 'invalid_request', 'body']);
    expect(await post(`${here}&kind=identities`, '', csv)).toEqual([202, undefined, undefined]);
    expect(await post(here, {})).toEqual([400, 'invalid_request', 'kind']);
    expect(await post(`${here}&kind=people`, {})).toEqual([400, 'invalid_request', 'kind']);
    expect(await post(`${here}&kind=identities`, { items: {} })).toEqual([400, 'invalid_request', 'items']);
    expect(await post(`${here}&kind=identities`, { kind: 'open_ids', items: [] })).toEqual([
      400,
      'invalid_request',
      'kind',
    ]);
    expect(await post('?kind=identities', '{}', ndjson)).toEqual([400, 'invalid_request', 'entityId']);
    expect(await post('?kind=identities&entityId=none', '{}', ndjson)).toEqual([404, 'entity_not_found', undefined]);
    expect(await post(`${here}&kind=identities&colour=red`, '{}', ndjson)).toEqual([400, 'invalid_request', 'colour']);
    const xml = { headers: { 'content-type': 'application/xml' } };
    expect(await post(`${here}&kind=identities`, '<x/>', xml)).toEqual([415, 'unsupported_media_type', undefined]);
    expect((await acme.operator.post('/v1/identities/resolve', 'a,b', csv)).status).toBe(415);
  });

  it('belong to their entity, need the scope admin, and are begun once per Idempotency-Key', async () => {
    ok(await acme.operator.put('/v1/entities/other', { name: 'Other' }));
    const keyOf = async (entityId: string, scope: string): Promise<string> =>
      ok(await acme.operator.post('/v1/api-keys', { entityId, name: scope, scopes: [scope] })).body.key;
    const [own, other, reader] = [
      await keyOf('acme', 'admin'),
      await keyOf('other', 'admin'),
      await keyOf('acme', 'read'),
    ];
    const options = { headers: { ...ndjson.headers, 'idempotency-key': fresh('k') } };
    const openId = fresh('o');
    const post = (key: string, query = ''): Promise<Answer<Json>> =>
      acme.operator
        .as(key)
        .post(`/v1/imports?kind=identities${query}`, JSON.stringify({ appId: 'a1', openId }), options);
    const first = ok(await post(own)).body;
    expect(ok(await post(own)).body.id).toBe(first.id);
    expect((await post(reader)).status).toBe(403);
    expect((await post(other, '&entityId=acme')).body.code).toBe('entity_not_found');
    const line = JSON.stringify({ appId: 'a1', openId });
    const foreign = ok(await acme.operator.as(other).post('/v1/imports?kind=identities', line, ndjson)).body;
    expect((await acme.operator.as(own).get(`/v1/imports/${foreign.id}`)).body.code).toBe('import_not_found');
    expect((await acme.operator.get('/v1/imports/1')).body.code).toBe('import_not_found');
    expect((await ended(foreign.id)).errors).toMatchObject([{ line: 1, code: 'app_not_found' }]);
    expect(await ended(first.id)).toMatchObject({ done: 1, outcomes: { created: 1 } });
  });
});
