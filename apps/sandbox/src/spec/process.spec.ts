import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const main = fileURLToPath(new URL('../main.js', import.meta.url));
const running: ChildProcess[] = [];

afterEach(() => {
  for (const child of running.splice(0)) child.kill('SIGKILL');
});

/** A sandbox as a process of its own, and every line it logged. */
async function start(): Promise<{ child: ChildProcess; url: string; lines: string[] }> {
  const child = spawn(process.execPath, [main], {
    env: { PATH: process.env['PATH'], PORT: '0' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  running.push(child);
  const lines: string[] = [];
  const output = createInterface({ input: child.stdout ?? process.stdin });
  const url = await new Promise<string>((resolve, reject) => {
    child.once('exit', () => reject(new Error('the sandbox ended before it listened')));
    output.on('line', (line) => {
      lines.push(line);
      const { msg, url: at } = JSON.parse(line) as { msg: string; url: string };
      if (msg === 'listening') resolve(at);
    });
  });
  return { child, url, lines };
}

type Method = 'POST' | 'PUT';

async function send(url: string, path: string, body: object, method: Method = 'POST') {
  const response = await fetch(`${url}${path}`, { method, body: JSON.stringify(body) });
  return (await response.json()) as Record<string, string>;
}

async function exitCode(child: ChildProcess): Promise<unknown> {
  child.kill('SIGTERM');
  const [code] = (await once(child, 'exit')) as [number | null];
  return code;
}

describe('a sandbox of its own', () => {
  it('says where it listens, is ready at once, and ends with 0 when told', async () => {
    const { child, url } = await start();
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    for (const path of ['/livez', '/readyz']) expect((await fetch(`${url}${path}`)).status).toBe(200);
    expect(await exitCode(child)).toBe(0);
  });

  it('ends at once although a call hangs and a push is on its way', async () => {
    const { child, url } = await start();
    // Nobody listens there, so it is tried again and again.
    const push = { url: 'http://127.0.0.1:9/', token: 'token', mode: 'plain' };
    await send(url, '/_control/apps/wx1', { kind: 'service_account', push }, 'PUT');
    await send(url, '/_control/follow', { person: 'mei', appId: 'wx1', wait: false });
    await send(url, '/_faults', { endpoint: '*', kind: 'timeout' });
    const hanging = fetch(`${url}/sns/userinfo`).catch(() => 'cut off');
    const startedAt = performance.now();
    expect(await exitCode(child)).toBe(0);
    expect(performance.now() - startedAt).toBeLessThan(5000);
    expect(await hanging).toBe('cut off');
  });

  it('logs JSON lines with no secret, code, session_key or token in them', async () => {
    const { child, url, lines } = await start();
    await send(url, '/_control/apps/wx1', { kind: 'mini_program', secret: 'CANARY-secret' }, 'PUT');
    const { code } = await send(url, '/_control/login', { person: 'mei', appId: 'wx1' });
    const query = `appid=wx1&secret=CANARY-secret&js_code=${code}&grant_type=authorization_code`;
    const session = await send(url, `/sns/jscode2session?${query}`, {}, 'POST');
    const login = (await (await fetch(`${url}/sns/jscode2session?${query}`)).json()) as Record<string, string>;
    const body = { grant_type: 'client_credential', appid: 'wx1', secret: 'CANARY-secret' };
    const token = await send(url, '/cgi-bin/stable_token', body);
    expect([session['errcode'], login['openid']?.length]).toEqual([43001, 28]);
    expect(await exitCode(child)).toBe(0);
    const logged = lines.join('\n');
    expect(logged).toContain('"endpoint":"/sns/jscode2session"');
    for (const secret of ['CANARY', code, login['session_key'], token['access_token']]) {
      expect(logged).not.toContain(secret);
    }
  });

  it('does not start on a port that is taken or nonsense', async () => {
    const { url } = await start();
    for (const port of [new URL(url).port, 'many']) {
      const child = spawn(process.execPath, [main], {
        env: { PATH: process.env['PATH'], PORT: port },
        stdio: 'ignore',
      });
      running.push(child);
      expect((await once(child, 'exit'))[0]).toBe(1);
    }
  });
});
