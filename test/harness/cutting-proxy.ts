import { connect, createServer, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';

/** Between a process and its PostgreSQL: lets everything through, and can end a transaction at any of its statements. */
export interface CuttingProxy {
  readonly url: string;
  /**
   * Of the next transaction that locks people, counted from its lock on: at the n-th statement `strike` is called, and the
   * connection is cut, before the statement reaches the server or after it was done and before anybody hears of it.
   */
  arm(at: { statement: number; when: 'before' | 'after'; strike?: () => Promise<unknown> }): void;
  /** The statement it was cut at; null: the transaction was over before. */
  disarm(): string | null;
  close(): void;
}

interface Armed {
  readonly statement: number;
  readonly when: 'before' | 'after';
  readonly strike?: () => Promise<unknown>;
  watched: Socket | null;
  seen: number;
  cutAt: string | null;
}

/** Frontend messages of one statement: held until its Sync, so that it goes through as a whole or not at all. */
const partsOfStatement = new Set(['P', 'B', 'D', 'E', 'C']);
const endsOfStatement = new Set(['S', 'Q']);
const readyForQuery = 'Z'.codePointAt(0);

export async function startCuttingProxy(databaseUrl: string): Promise<CuttingProxy> {
  const target = new URL(databaseUrl);
  let armed: Armed | null = null;

  const serve = (client: Socket): void => {
    const server = connect(Number(target.port), target.hostname);
    let isFirst = true;
    let unread = Buffer.alloc(0);
    let statement: Buffer[] = [];
    let isLastWord = false;
    const cut = (): void => {
      client.destroy();
      server.destroy();
    };
    const finish = (): void => {
      const whole = Buffer.concat(statement);
      statement = [];
      const text = whole.toString('latin1');
      if (armed !== null && armed.watched === null && /lock.and.load/.test(text)) armed.watched = client;
      if (armed?.watched !== client || armed.cutAt !== null) {
        server.write(whole);
        return;
      }
      armed.seen += 1;
      const isHere = armed.seen === armed.statement;
      if (isHere) armed.cutAt = text.replaceAll(/[^\x20-\x7e]+/g, ' ').slice(0, 60);
      if (isHere && armed.when === 'before') void strike(armed, cut);
      else server.write(whole);
      isLastWord = isHere;
    };
    client.on('data', (data) => {
      unread = Buffer.concat([unread, data]);
      for (;;) {
        // Only the very first message has no type before its length.
        const head = isFirst ? 0 : 1;
        if (unread.length < head + 4) return;
        const length = head + unread.readInt32BE(head);
        if (unread.length < length) return;
        const type = isFirst ? '' : String.fromCodePoint(unread[0] ?? 0);
        isFirst = false;
        const message = unread.subarray(0, length);
        unread = unread.subarray(length);
        if (partsOfStatement.has(type) || endsOfStatement.has(type)) statement.push(message);
        else server.write(message);
        if (endsOfStatement.has(type)) finish();
      }
    });
    server.on('data', (data) => {
      if (!isLastWord) client.write(data);
      else if (armed !== null && data.at(-6) === readyForQuery) void strike(armed, cut);
    });
    for (const side of [client, server]) {
      side.on('error', cut);
      side.on('close', cut);
    }
  };

  const listener = createServer(serve);
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  const url = new URL(databaseUrl);
  url.hostname = '127.0.0.1';
  url.port = String((listener.address() as AddressInfo).port);
  return {
    url: url.href,
    arm: (at) => {
      armed = { ...at, watched: null, seen: 0, cutAt: null };
    },
    disarm: () => {
      const cutAt = armed?.cutAt ?? null;
      armed = null;
      return cutAt;
    },
    close: () => {
      listener.close();
    },
  };
}

async function strike(armed: Armed, cut: () => void): Promise<void> {
  await armed.strike?.();
  cut();
}
