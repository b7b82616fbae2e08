import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../tools/machine.js';
import { http } from './harness/http.js';
import { type App, startSandbox } from './harness/processes.js';
import { services } from './harness/services.js';

describe('libs/wechat as a package', () => {
  const appId = 'wx1234567890abcdef';
  let sandbox: App;
  let project: string;

  beforeAll(async () => {
    sandbox = await startSandbox();
    project = mkdtempSync(join(services.folder, 'wechat-package-'));
    const installed = join(project, 'node_modules/@unionlink/wechat');
    execFileSync(process.execPath, [join(root, 'dist/tools/pack.js'), 'wechat', installed]);
    writeFileSync(join(project, 'package.json'), '{"type":"module"}');
  }, 120_000);
  afterAll(() => sandbox.stop());

  /** The login of the README, to the letter; WeChat is the sandbox and the code an argument. */
  function loginOfReadme(): string {
    const readme = readFileSync(join(project, 'node_modules/@unionlink/wechat/README.md'), 'utf8');
    const login = /## A login in ten lines\n+```ts\n([\s\S]*?)```/.exec(readme)?.[1] ?? '';
    const client = 'new WechatClient({ ';
    expect(login.split('\n').filter((line) => line.trim() !== '').length).toBeLessThanOrEqual(10);
    expect(login).toContain(client);
    return `const code = String(process.argv[2]);\n${login.replace(client, `${client}baseUrl: '${sandbox.url}', `)}`;
  }

  function run(code: string): string {
    const env = { PATH: process.env['PATH'], [`SECRET_OF_${appId}`]: 'its-secret' };
    const { stdout, stderr } = spawnSync(process.execPath, ['login.ts.js', code], {
      cwd: project,
      env,
      encoding: 'utf8',
    });
    expect(stderr).toBe('');
    return stdout.trim();
  }

  it('logs somebody in with ten lines, and says when the code is spent', async () => {
    const wechat = http(sandbox.url);
    await wechat.put(`/_control/apps/${appId}`, { kind: 'mini_program', secret: 'its-secret', openPlatform: 'op1' });
    const { body } = await wechat.post('/_control/login', { person: 'Li', appId });
    writeFileSync(join(project, 'login.ts.js'), loginOfReadme());
    const printed = run(body.code);
    const [li] = (await wechat.get('/_control/state')).body.people;
    expect(printed).toBe(`${li.apps[0].openId} ${li.apps[0].unionId} [secret]`);
    expect(run(body.code)).toMatch(/^call wx\.login again \S+$/);
  });

  it('brings its types, and is all that has to be installed', () => {
    const manifest = readFileSync(join(project, 'node_modules/@unionlink/wechat/package.json'), 'utf8');
    expect(JSON.parse(manifest)).toMatchObject({ name: '@unionlink/wechat', dependencies: {} });
    const typed = `${loginOfReadme()}\nconst wrong: number = (await wechat.code2session({ appId: 'a', code })).openId;\n`;
    writeFileSync(join(project, 'login.ts'), typed);
    const strict = ['--noEmit', '--strict', '--target', 'es2023', '--module', 'nodenext', '--skipLibCheck'];
    const types = ['--types', 'node', '--typeRoots', join(root, 'node_modules/@types')];
    const tsc = [join(root, 'node_modules/typescript/bin/tsc'), ...strict, ...types, 'login.ts'];
    const { stdout } = spawnSync(process.execPath, tsc, { cwd: project, encoding: 'utf8' });
    expect(stdout.trim()).toBe(`login.ts(14,7): error TS2322: Type 'string' is not assignable to type 'number'.`);
  }, 120_000);
});
