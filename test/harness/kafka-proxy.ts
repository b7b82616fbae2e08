import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { redirectBrokers } from './kafka-redirect.js';

/** Of Kafka's requests, those that a spec meddles with. */
const apiKeys = { produce: 0, fetch: 1, metadata: 3, offsetCommit: 8, initProducerId: 22 } as const;
export type Api = keyof typeof apiKeys;

/**
 * - `lose`: the broker does it, its answer is dropped and the connection is reset.
 * - `swallow`: the broker does it, the answer never comes, the connection looks well.
 * - `refuse`: the broker never hears of it, the connection is reset.
 * - `hold`: the request is under way until `release`, and with it whatever follows on its connection.
 */
export type Fault = 'lose' | 'swallow' | 'refuse' | 'hold';

export interface Struck {
  /** Fulfilled when the fault has happened as often as it was asked for. */
  readonly done: Promise<void>;
  /** Of `hold`: lets the requests go on to the broker, also when whoever sent them has given up. */
  release(): void;
}

/** Between clients and one Kafka broker on 127.0.0.1, which it follows frame by frame. */
export interface KafkaProxy {
  /** As KAFKA_BROKERS takes it. What the broker says of its own address is changed to this one. */
  readonly brokers: string;
  /** What happens to the next `times` requests of this kind; where `topic` is given, to those that name it. */
  next(api: Api, fault: Fault, times?: number, topic?: string): Struck;
  /** The broker's side of every connection is gone, and nobody tells the clients. New connections are well. */
  halfOpen(): void;
  /** Nothing goes anywhere, neither on old connections nor on new ones, which are accepted, until `heal`. */
  blackHole(): void;
  /** Also resets the old connections: they have lost something. */
  heal(): void;
  /** From now on every answer comes so much later. */
  delay(ms: number): void;
  close(): Promise<void>;
}

interface Plan {
  readonly apiKey: number;
  readonly topic: string;
  readonly fault: Fault;
  left: number;
  readonly released: Promise<void>;
  readonly happened: () => void;
}

interface Asked {
  readonly apiKey: number;
  readonly apiVersion: number;
  readonly plan: Plan | null;
  readonly isLast: boolean;
}

interface Weather {
  isBlackHole: boolean;
  lateMs: number;
  plans: Plan[];
  port: number;
}

export async function startKafkaProxy(target: string): Promise<KafkaProxy> {
  const weather: Weather = { isBlackHole: false, lateMs: 0, plans: [], port: 0 };
  const links = new Set<Link>();
  const server = createServer((client) => {
    const link = new Link(client, connect(Number(target.split(':')[1]), '127.0.0.1'), weather);
    links.add(link);
    client.on('close', () => links.delete(link));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  weather.port = (server.address() as AddressInfo).port;
  return {
    brokers: `127.0.0.1:${weather.port}`,
    next: (api, fault, times = 1, topic = '') => {
      const [happening, holding] = [openPromise(), openPromise()];
      weather.plans.push({
        apiKey: apiKeys[api],
        topic,
        fault,
        left: times,
        released: holding.promise,
        happened: happening.fulfil,
      });
      return { done: happening.promise, release: holding.fulfil };
    },
    halfOpen: () => {
      for (const link of links) link.deafen();
    },
    blackHole: () => {
      weather.isBlackHole = true;
    },
    heal: () => {
      weather.isBlackHole = false;
      for (const link of links) link.reset();
    },
    delay: (ms) => {
      weather.lateMs = ms;
    },
    close: () => {
      for (const link of links) link.reset();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

/** One connection of a client, and the one to the broker that belongs to it. */
class Link {
  private readonly asked = new Map<number, Asked>();
  private isDeaf = false;
  private up: Promise<void> = Promise.resolve();
  private down: Promise<void> = Promise.resolve();

  constructor(
    private readonly client: Socket,
    private readonly broker: Socket,
    private readonly weather: Weather,
  ) {
    for (const side of [client, broker]) {
      side.setNoDelay(true);
      side.on('error', () => this.reset());
    }
    eachFrame(client, (frame) => this.onRequest(frame));
    eachFrame(broker, (frame) => this.onAnswer(frame));
    // What was on its way when its sender gave up still arrives.
    client.on('close', () => void this.up.then(() => this.endIfDone()));
    broker.on('close', () => {
      if (!this.isDeaf && !weather.isBlackHole) client.destroy();
    });
  }

  deafen(): void {
    this.isDeaf = true;
    this.broker.destroy();
  }

  reset(): void {
    this.client.destroy();
    this.broker.destroy();
  }

  private onRequest(frame: Buffer): void {
    if (this.isDeaf || this.weather.isBlackHole) return;
    const apiKey = frame.readInt16BE(4);
    const plan =
      this.weather.plans.find((one) => one.left > 0 && one.apiKey === apiKey && frame.includes(one.topic)) ?? null;
    if (plan !== null) plan.left -= 1;
    const isLast = plan?.left === 0;
    this.asked.set(frame.readInt32BE(8), { apiKey, apiVersion: frame.readInt16BE(6), plan, isLast });
    if (plan?.fault === 'refuse') this.reset();
    else this.pass(frame, plan?.fault === 'hold' ? plan.released : null);
    if (isLast && (plan?.fault === 'refuse' || plan?.fault === 'hold')) plan.happened();
  }

  private pass(frame: Buffer, released: Promise<void> | null): void {
    if (released !== null) this.up = this.up.then(() => released);
    this.up = this.up.then(() => void (this.broker.destroyed || this.broker.write(frame)));
  }

  private onAnswer(frame: Buffer): void {
    const id = frame.readInt32BE(4);
    const asked = this.asked.get(id);
    this.asked.delete(id);
    const fault = asked?.plan?.fault;
    if (fault === 'lose') this.reset();
    if (asked?.isLast === true && (fault === 'lose' || fault === 'swallow')) asked.plan?.happened();
    if (this.client.destroyed) this.endIfDone();
    else if (asked !== undefined && fault !== 'swallow' && !this.weather.isBlackHole) {
      redirectBrokers(frame, asked, this.weather.port);
      this.answer(frame, this.weather.lateMs);
    }
  }

  private answer(frame: Buffer, lateMs: number): void {
    if (lateMs > 0) this.down = Promise.all([this.down, delay(lateMs)]).then(() => undefined);
    this.down = this.down.then(() => void (this.client.destroyed || this.client.write(frame)));
  }

  private endIfDone(): void {
    if (this.asked.size === 0 || this.weather.isBlackHole) this.broker.destroy();
  }
}

interface OpenPromise {
  readonly promise: Promise<void>;
  readonly fulfil: () => void;
}

function openPromise(): OpenPromise {
  const fulfilling: (() => void)[] = [];
  const promise = new Promise<void>((resolve) => fulfilling.push(resolve));
  return { promise, fulfil: () => fulfilling[0]?.() };
}

/** Requests and answers alike: four bytes of length, then so many. */
export function eachFrame(socket: Socket, take: (frame: Buffer) => void): void {
  let parts: Buffer[] = [];
  let size = 0;
  socket.on('data', (data) => {
    parts.push(data);
    size += data.length;
    const wanted = (): number => ((parts[0]?.length ?? 0) < 4 ? 4 : 4 + (parts[0]?.readInt32BE(0) ?? 0));
    while (size >= wanted()) {
      if (parts.length > 1) parts = [Buffer.concat(parts)];
      const length = wanted();
      const [whole] = parts;
      if (whole === undefined || whole.length < length) return;
      parts = whole.length === length ? [] : [whole.subarray(length)];
      size -= length;
      take(whole.subarray(0, length));
    }
  });
}
