import { connect } from 'node:net';
import { eachFrame } from '../harness/kafka-proxy.js';
import { decodeProduceAnswer, frameRequest, produceRequest } from '../harness/kafkajs-wire.js';

export interface RawBatch {
  readonly producerId: number;
  readonly epoch?: number;
  readonly firstSequence: number;
  readonly values: readonly string[];
  readonly partition?: number;
}

export interface RawAnswer {
  readonly errorCode: number;
  readonly offset: number;
}

/** Sends batches under whatever numbers it is told to: what no client does on purpose. */
export interface RawProducer {
  send(batch: RawBatch): Promise<RawAnswer>;
  close(): void;
}

export async function openRawProducer(brokers: string, topic: string): Promise<RawProducer> {
  const socket = connect(Number(brokers.split(':')[1]), '127.0.0.1');
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('error', reject);
  });
  const waiting: ((frame: Buffer) => void)[] = [];
  eachFrame(socket, (frame) => waiting.shift()?.(frame));
  let correlationId = 0;
  return {
    send: async ({ producerId, epoch = 0, firstSequence, values, partition = 0 }) => {
      const messages = values.map((value) => ({ key: null, value }));
      const request = produceRequest({
        acks: -1,
        timeout: 5_000,
        producerId,
        producerEpoch: epoch,
        topicData: [{ topic, partitions: [{ partition, firstSequence, messages }] }],
      });
      const { buffer } = await frameRequest({ correlationId: (correlationId += 1), clientId: 'raw', request });
      const answered = new Promise<Buffer>((resolve) => waiting.push(resolve));
      socket.write(buffer);
      const { topics } = await decodeProduceAnswer((await answered).subarray(8));
      const [told] = topics[0]?.partitions ?? [];
      return { errorCode: told?.errorCode ?? -1, offset: Number(told?.baseOffset) };
    },
    close: () => socket.destroy(),
  };
}
