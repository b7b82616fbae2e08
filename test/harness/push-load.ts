import { connect, type Socket } from 'node:net';
import { encryptPush, signPush } from '#wechat';

/** WeChat on a busy day: posts at a steady rate whatever the answers take, and repeats what was not answered. */
export interface PushLoad {
  readonly appId: string;
  readonly token: string;
  readonly encodingAesKey: string;
  readonly perSecond: number;
  readonly seconds: number;
  /** Before the clock starts the rate rises for so long, as that of a day does: what has just started is slow. */
  readonly risingSeconds: number;
  /** WeChat waits five seconds; a short form on a busy machine proves more with more patience. */
  readonly answerWithinMs: number;
  /** The ports of those that live; as a load balancer would, the one with the fewest open requests is chosen. */
  readonly replicas: () => readonly number[];
  /** Whether nothing is being done to the replicas: those posted meanwhile are told of by themselves too. */
  readonly isCalm: () => boolean;
}

export interface PushLoadResult {
  readonly openIds: readonly string[];
  /** What was never answered 200 `success`, repeats included. */
  readonly unanswered: number;
  readonly repeats: number;
  readonly perSecond: number;
  readonly p99Ms: number;
  readonly calmP99Ms: number;
  readonly slowestMs: number;
}

/** What is not answered in time is posted again, up to three times (WeChat facts 3.2). */
const triesMax = 4;
const tickMs = 5;
/** To one replica. */
const connectionsMax = 128;

/**
 * WeChat does not compute on our machine: the messages are encrypted before the clock starts, and connections are kept
 * and written to by hand, or the load would take more of the processors than what it is meant to load.
 */
export async function pushLoad(options: PushLoad): Promise<PushLoadResult> {
  const { appId, encodingAesKey } = options;
  const connections = new Connections(options.answerWithinMs);
  const rising = (options.perSecond * options.risingSeconds) / 2;
  const total = rising + options.perSecond * options.seconds;
  const openIds = Array.from({ length: total }, (_, index) => `oLoad${String(index).padStart(8, '0')}`);
  const encrypted = openIds.map((openId) => encryptPush(messageOf(appId, openId), { appId, encodingAesKey }));
  const latencies: number[] = [];
  const calm: number[] = [];
  const sending: Promise<boolean>[] = [];
  let repeats = 0;
  const deliver = async (index: number): Promise<boolean> => {
    const encrypt = encrypted[index] ?? '';
    const isCalm = options.isCalm();
    for (let tried = 1; tried <= triesMax; tried += 1) {
      const started = performance.now();
      if (await connections.post(connections.leastBusy(options.replicas()), signed(options, encrypt))) {
        const took = performance.now() - started;
        if (index >= rising) latencies.push(took);
        if (index >= rising && isCalm) calm.push(took);
        return true;
      }
      repeats += 1;
    }
    return false;
  };
  const began = performance.now();
  while (sending.length < total) {
    const due = Math.min(total, dueAfter((performance.now() - began) / 1000, options));
    while (sending.length < due) sending.push(deliver(sending.length));
    await new Promise((tick) => setTimeout(tick, tickMs));
  }
  const delivered = await Promise.all(sending);
  const seconds = (performance.now() - began) / 1000 - options.risingSeconds;
  connections.end();
  return {
    openIds,
    unanswered: delivered.filter((isDelivered) => !isDelivered).length,
    repeats,
    perSecond: (total - rising) / seconds,
    p99Ms: rank(latencies, 0.99),
    calmP99Ms: rank(calm, 0.99),
    slowestMs: rank(latencies, 1),
  };
}

function rank(values: readonly number[], share: number): number {
  const sorted = values.toSorted((one, other) => one - other);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

function dueAfter(seconds: number, { perSecond, risingSeconds }: PushLoad): number {
  const risen = Math.min(seconds, risingSeconds);
  const whileRising = risingSeconds === 0 ? 0 : (perSecond * risen * risen) / (2 * risingSeconds);
  return Math.ceil(whileRising + (seconds - risen) * perSecond);
}

/** Signed anew each time, as WeChat's repeats are; the message inside is the same. */
function signed({ appId, token }: PushLoad, encrypt: string): string {
  const timestamp = String(Math.floor(Date.now() / 1000));
  const nonce = String(Math.floor(Math.random() * 1e9));
  const query =
    `signature=${signPush(token, timestamp, nonce)}&timestamp=${timestamp}&nonce=${nonce}` +
    `&encrypt_type=aes&msg_signature=${signPush(token, timestamp, nonce, encrypt)}`;
  const body = `{"ToUserName":"gh_0123456789ab","Encrypt":"${encrypt}"}`;
  const head = `POST /v1/wechat/push/${appId}?${query} HTTP/1.1\r\nhost: replica\r\ncontent-type: application/json`;
  return `${head}\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
}

/** One request at a time on each; what finds none free waits, and its wait counts. */
class Connections {
  private readonly idle = new Map<number, Socket[]>();
  private readonly open = new Map<number, number>();
  private readonly waiting = new Map<number, (() => void)[]>();
  private readonly all = new Set<Socket>();

  constructor(private readonly answerWithinMs: number) {}

  /** Whether it was answered 200 `success` in time. */
  async post(port: number, request: string): Promise<boolean> {
    const socket = this.idleOn(port).pop() ?? (this.countOf(port) < connectionsMax ? this.connect(port) : null);
    if (socket === null) {
      await new Promise<void>((free) => this.queueOf(port).push(free));
      return this.post(port, request);
    }
    const isAnswered = await this.exchange(socket, request);
    if (isAnswered) this.idleOn(port).push(socket);
    else this.drop(port, socket);
    this.queueOf(port).shift()?.();
    return isAnswered;
  }

  leastBusy(ports: readonly number[]): number {
    const busy = (port: number): number => this.countOf(port) - this.idleOn(port).length + this.queueOf(port).length;
    return ports.reduce((best, port) => (busy(port) < busy(best) ? port : best), ports[0] ?? 0);
  }

  end(): void {
    for (const socket of this.all) socket.destroy();
  }

  private exchange(socket: Socket, request: string): Promise<boolean> {
    return new Promise((resolve) => {
      let answer = '';
      const settle = (isAnswered: boolean): void => {
        socket.removeAllListeners('data').removeAllListeners('close');
        clearTimeout(patience);
        resolve(isAnswered);
      };
      const patience = setTimeout(() => settle(false), this.answerWithinMs);
      socket.on('close', () => settle(false));
      socket.on('data', (part) => {
        answer += part.toString('latin1');
        const text = answer.split('\r\n\r\n')[1] ?? '';
        if (text.length >= 'success'.length) settle(answer.startsWith('HTTP/1.1 200 ') && text === 'success');
      });
      if (socket.destroyed) settle(false);
      else socket.write(request, 'latin1');
    });
  }

  private connect(port: number): Socket {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    socket.on('error', () => undefined);
    this.all.add(socket);
    this.open.set(port, this.countOf(port) + 1);
    return socket;
  }

  private drop(port: number, socket: Socket): void {
    socket.destroy();
    this.all.delete(socket);
    this.open.set(port, this.countOf(port) - 1);
  }

  private countOf(port: number): number {
    return this.open.get(port) ?? 0;
  }

  private idleOn(port: number): Socket[] {
    return listIn(this.idle, port);
  }

  private queueOf(port: number): (() => void)[] {
    return listIn(this.waiting, port);
  }
}

function listIn<Value>(lists: Map<number, Value[]>, port: number): Value[] {
  const list = lists.get(port) ?? [];
  lists.set(port, list);
  return list;
}

const sentAtSeconds = Math.floor(Date.now() / 1000);

function messageOf(appId: string, openId: string): string {
  return JSON.stringify({
    ToUserName: 'gh_0123456789ab',
    FromUserName: 'oPlatform',
    CreateTime: sentAtSeconds,
    MsgType: 'event',
    Event: 'user_authorization_revoke',
    OpenID: openId,
    AppID: appId,
    RevokeInfo: '6',
  });
}
