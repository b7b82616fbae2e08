import 'reflect-metadata';
import { pino } from 'pino';
import type { Logger } from 'pino';
import { createServer } from './http-server.js';

export interface SandboxOptions {
  /** 0, the default, takes a free one. */
  readonly port?: number;
  readonly host?: string;
  readonly logger?: Logger;
}

export interface Sandbox {
  /** Where it answers, without a slash at the end: the `WECHAT_BASE_URL`. */
  readonly url: string;
  close(): Promise<void>;
}

/** Starts a sandbox inside this process, for tests; silent unless given a logger. */
export async function startSandbox(options: SandboxOptions = {}): Promise<Sandbox> {
  const host = options.host ?? '127.0.0.1';
  const app = await createServer(options.logger ?? pino({ level: 'silent' }));
  await app.listen(options.port ?? 0, host);
  return {
    url: (await app.getUrl()).replace('[::1]', 'localhost').replace(/\/$/, ''),
    close: () => app.close(),
  };
}
