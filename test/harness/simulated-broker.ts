import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { eachFrame } from './kafka-proxy.js';
import { decodeBatch, Decoder, Encoder, type WireRecord } from './kafkajs-wire.js';
import { ProducerState, wireErrors } from './producer-state.js';

/**
 * As much of Kafka as a producer sees: it numbers producers and checks their numbers as a real broker does. Two nodes
 * can be had, and leadership can move. test/broker.spec.ts holds it against a real one.
 */
export interface SimulatedBroker {
  /** As KAFKA_BROKERS takes it: the first node. */
  readonly brokers: string;
  createTopic(name: string, partitions: number): void;
  /** The values in a partition, or in all of them one after the other. */
  stored(topic: string, partition?: number): string[];
  /** Node 0 or 1. */
  moveLeader(topic: string, partition: number, node: number): void;
  /** How many Produce requests were answered. */
  readonly produced: number;
  /** Forgets what it knew of all producers, as a broker does of those it has not heard of for a day. */
  forgetProducers(): void;
  close(): Promise<void>;
}

interface Partition {
  leader: number;
  state: ProducerState;
  readonly log: WireRecord[];
}

type Topics = Map<string, Partition[]>;

interface Cluster {
  readonly topics: Topics;
  readonly ports: number[];
  nextProducerId: bigint;
  produced: number;
}

interface Request {
  readonly body: Decoder;
  readonly node: number;
}

interface Handler {
  /** The only one it speaks. */
  readonly version: number;
  readonly answer: (cluster: Cluster, request: Request) => Encoder | Promise<Encoder>;
}

/** By the numbers of the protocol. */
const handlers: Readonly<Record<number, Handler>> = {
  0: { version: 7, answer: produce },
  3: { version: 6, answer: metadata },
  18: { version: 2, answer: apiVersions },
  22: { version: 1, answer: initProducerId },
};

export async function startSimulatedBroker(nodes = 1): Promise<SimulatedBroker> {
  const cluster: Cluster = { topics: new Map(), ports: [], nextProducerId: 1000n, produced: 0 };
  const sockets = new Set<Socket>();
  const servers: Server[] = [];
  for (let node = 0; node < nodes; node += 1) {
    const server = createServer((socket) => {
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
      socket.on('error', () => socket.destroy());
      // One at a time and in order, as a broker serves a connection.
      let turn: Promise<void> = Promise.resolve();
      eachFrame(socket, (frame) => {
        turn = turn
          .then(async () => void socket.write(await answer(cluster, node, frame)))
          .catch(() => {
            socket.destroy();
          });
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    servers.push(server);
    cluster.ports.push((server.address() as AddressInfo).port);
  }
  return {
    brokers: `127.0.0.1:${cluster.ports[0]}`,
    createTopic: (name, partitions) => {
      cluster.topics.set(
        name,
        Array.from({ length: partitions }, () => ({ leader: 0, state: new ProducerState(), log: [] })),
      );
    },
    stored: (topic, partition) => {
      const all = cluster.topics.get(topic) ?? [];
      const wanted = partition === undefined ? all : all.slice(partition, partition + 1);
      return wanted.flatMap(({ log }) => log.map(({ value }) => String(value)));
    },
    moveLeader: (topic, partition, node) => {
      const moved = cluster.topics.get(topic)?.[partition];
      if (moved !== undefined) moved.leader = node;
    },
    get produced() {
      return cluster.produced;
    },
    forgetProducers: () => {
      for (const partition of [...cluster.topics.values()].flat()) partition.state = new ProducerState();
    },
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
    },
  };
}

async function answer(cluster: Cluster, node: number, frame: Buffer): Promise<Buffer> {
  const head = new Decoder(frame.subarray(4));
  const apiKey = head.readInt16();
  const version = head.readInt16();
  const id = head.readInt32();
  head.readString();
  const handler = handlers[apiKey];
  if (handler === undefined) throw new Error(`request ${apiKey} is not simulated`);
  // Before it knows ours, a client asks for our versions in whatever version it likes.
  if (version !== handler.version && apiKey !== 18) throw new Error(`request ${apiKey} in version ${version}`);
  const body = apiKey === 18 && version < 2 ? versionsV0(version) : await handler.answer(cluster, { body: head, node });
  const whole = new Encoder().writeInt32(id).writeEncoder(body);
  return new Encoder().writeInt32(whole.size()).writeEncoder(whole).buffer;
}

const versionList = (): Encoder[] =>
  Object.entries(handlers).map(([key, { version }]) =>
    new Encoder().writeInt16(Number(key)).writeInt16(version).writeInt16(version),
  );

function versionsV0(version: number): Encoder {
  const body = new Encoder().writeInt16(wireErrors.none).writeArray(versionList());
  return version === 0 ? body : body.writeInt32(0);
}

function apiVersions(): Encoder {
  return versionsV0(2);
}

function initProducerId(cluster: Cluster): Encoder {
  const producerId = cluster.nextProducerId;
  cluster.nextProducerId += 1n;
  return new Encoder().writeInt32(0).writeInt16(wireErrors.none).writeInt64(producerId).writeInt16(0);
}

function metadata(cluster: Cluster, { body }: Request): Encoder {
  const asked = body.readArray((decoder) => decoder.readString() ?? '');
  const names = asked.length > 0 ? asked : [...cluster.topics.keys()];
  const brokers = cluster.ports.map((port, node) =>
    new Encoder().writeInt32(node).writeString('127.0.0.1').writeInt32(port).writeString(null),
  );
  const topics = names.map((name) => {
    const partitions = cluster.topics.get(name);
    return new Encoder()
      .writeInt16(partitions === undefined ? wireErrors.unknownTopicOrPartition : wireErrors.none)
      .writeString(name)
      .writeBoolean(false)
      .writeArray((partitions ?? []).map(({ leader }, index) => partitionMetadata(index, leader)));
  });
  return new Encoder().writeInt32(0).writeArray(brokers).writeString('simulated').writeInt32(0).writeArray(topics);
}

const partitionMetadata = (index: number, leader: number): Encoder =>
  new Encoder()
    .writeInt16(wireErrors.none)
    .writeInt32(index)
    .writeInt32(leader)
    .writeArray([leader], 'int32')
    .writeArray([leader], 'int32')
    .writeArray([], 'int32');

async function produce(cluster: Cluster, { body, node }: Request): Promise<Encoder> {
  body.readString();
  body.readInt16();
  body.readInt32();
  const topics = body.readArray((decoder) => ({
    name: decoder.readString() ?? '',
    partitions: decoder.readArray((inner) => ({ index: inner.readInt32(), batch: inner.readBytes() })),
  }));
  const answers: Encoder[] = [];
  for (const { name, partitions } of topics) {
    const inner: Encoder[] = [];
    for (const { index, batch } of partitions) {
      const partition = cluster.topics.get(name)?.[index];
      const { errorCode, offset } = await append(partition, node, batch ?? Buffer.alloc(0));
      inner.push(new Encoder().writeInt32(index).writeInt16(errorCode).writeInt64(offset).writeInt64(-1).writeInt64(0));
    }
    answers.push(new Encoder().writeString(name).writeArray(inner));
  }
  cluster.produced += 1;
  return new Encoder().writeArray(answers).writeInt32(0);
}

async function append(
  partition: Partition | undefined,
  node: number,
  bytes: Buffer,
): Promise<{ errorCode: number; offset: bigint }> {
  if (partition === undefined) return { errorCode: wireErrors.unknownTopicOrPartition, offset: -1n };
  if (partition.leader !== node) return { errorCode: wireErrors.notLeader, offset: -1n };
  const { producerId, producerEpoch, firstSequence, records } = await decodeBatch(new Decoder(bytes));
  const numbered = { producerId: BigInt(producerId), epoch: producerEpoch, firstSequence, count: records.length };
  const verdict = partition.state.judge(numbered);
  if (verdict.kind === 'refused') return { errorCode: verdict.errorCode, offset: -1n };
  if (verdict.kind === 'duplicate') return { errorCode: wireErrors.none, offset: verdict.offset };
  const offset = BigInt(partition.log.length);
  partition.state.appended(numbered, offset);
  partition.log.push(...records);
  return { errorCode: wireErrors.none, offset };
}
