import { mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Acme, ok, startAcme } from './harness/acme.js';
import { type CliEnding, runCli } from './harness/cli.js';
import { services } from './harness/services.js';

const file = (document: unknown): string => {
  const path = join(mkdtempSync(join(services.folder, 'registry-')), 'registry.json');
  writeFileSync(path, typeof document === 'string' ? document : JSON.stringify(document));
  return path;
};

describe('The registry from the command line', () => {
  let acme: Acme;
  beforeAll(async () => {
    acme = await startAcme();
  });
  afterAll(() => acme.stop());

  const cli = (...args: string[]): Promise<CliEnding> => runCli(acme.database.url, ['registry', ...args]);
  const shop = { appId: 'wx12', kind: 'mini_program', name: 'Shop', openPlatformId: 'op-a', originalId: 'gh_12' };
  const push = { token: 'the-token', encodingAesKey: 'abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG', mode: 'safe' };
  const beta = {
    entityId: 'beta',
    name: 'Beta',
    openPlatforms: [{ openPlatformId: 'op-a', name: 'Account' }],
    apps: [{ ...shop, appSecret: 'the-secret', push }],
  };

  it('registers a document, and shows one that changes nothing when it is applied', async () => {
    const first = await cli('apply', file({ entities: [beta] }));
    const named = ['entity beta', 'Open Platform account op-a', 'app wx12'];
    expect(first).toEqual({ code: 0, stderr: '', stdout: named.map((what) => `registered  ${what}\n`).join('') });
    const app = ok(await acme.operator.get('/v1/entities/beta/apps/wx12')).body;
    expect(app).toMatchObject({ ...shop, hasSecret: true, hasPush: true, sandbox: false });
    const shown = await cli('show', '--entity', 'beta');
    expect(JSON.parse(shown.stdout)).toEqual({
      entities: [{ ...beta, apps: [{ ...shop, sandbox: false, cloudHosting: false }] }],
    });
    const again = await cli('apply', file(shown.stdout));
    expect(again.stdout).toBe(named.map((what) => `there       ${what}\n`).join(''));
    const after = ok(await acme.operator.get('/v1/entities/beta/apps/wx12')).body;
    expect(after).toEqual({ ...app, updatedAt: after.updatedAt });
  }, 60_000);

  it.each([
    ['no JSON', '{"appSecret":"the-secret"', /registry\.json: it is not JSON/],
    ['no document', [], /is not a registry/],
    ['a wrong kind', { entities: [{ ...beta, entityId: 'c1', apps: [{ ...shop, kind: 'web' }] }] }, /apps\.0\.kind: /],
    ['a field too many', { entities: [{ ...beta, entityId: 'c1', more: 1 }] }, /entities\.0\.more: /],
    ['an id that is none', { entities: [{ ...beta, entityId: 'C 1' }] }, /entities\.0\.entityId: /],
  ])('changes nothing for a document with %s', async (_what, document, message) => {
    const { code, stdout, stderr } = await cli('apply', file(document));
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(message);
    expect(stderr).not.toContain('the-secret');
    expect((await acme.operator.get('/v1/entities/c1')).status).toBe(404);
  });

  it('says which entry was refused', async () => {
    const { code, stderr } = await cli('apply', file({ entities: [{ ...beta, entityId: 'gamma' }] }));
    expect(code).toBe(1);
    expect(stderr).toContain('app wx12: this appId is registered by another entity (app_id_taken)');
    expect((await cli('show', '--entity', 'nobody')).stderr).toContain('no such entity: nobody');
  });
});
