import { createRequire } from 'node:module';

/** KafkaJS's own readers and writers of the protocol (2.2.4): its types are not published, so they are told here. */

export interface Encoder {
  readonly buffer: Buffer;
  size(): number;
  writeInt8(value: number): Encoder;
  writeInt16(value: number): Encoder;
  writeInt32(value: number): Encoder;
  writeInt64(value: bigint | number): Encoder;
  writeBoolean(value: boolean): Encoder;
  writeString(value: string | null): Encoder;
  writeArray(values: readonly (Encoder | number)[], type?: 'int32'): Encoder;
  writeEncoder(value: Encoder): Encoder;
}

export interface Decoder {
  readInt16(): number;
  readInt32(): number;
  readInt64(): { toString(): string };
  readBoolean(): boolean;
  readString(): string | null;
  readBytes(): Buffer | null;
  readArray<T>(read: (decoder: Decoder) => T): T[];
}

export interface WireRecord {
  readonly key: Buffer | null;
  readonly value: Buffer | null;
}

export interface WireBatch {
  readonly producerId: string;
  readonly producerEpoch: number;
  readonly firstSequence: number;
  readonly records: readonly WireRecord[];
}

export interface WireRequest {
  readonly apiKey: number;
  readonly apiVersion: number;
  encode(): Promise<Encoder>;
}

export interface ProduceAnswer {
  readonly topics: readonly {
    readonly topicName: string;
    readonly partitions: readonly {
      readonly partition: number;
      readonly errorCode: number;
      readonly baseOffset: string;
    }[];
  }[];
}

const require = createRequire(import.meta.url);

export const Encoder = require('kafkajs/src/protocol/encoder.js') as new () => Encoder;
export const Decoder = require('kafkajs/src/protocol/decoder.js') as new (buffer: Buffer) => Decoder;
export const decodeBatch = require('kafkajs/src/protocol/recordBatch/v0/decoder.js') as (
  decoder: Decoder,
) => Promise<WireBatch>;
/** The length and the head before a request's own bytes. */
export const frameRequest = require('kafkajs/src/protocol/request.js') as (parts: {
  readonly correlationId: number;
  readonly clientId: string;
  readonly request: WireRequest;
}) => Promise<Encoder>;
export const produceRequest = require('kafkajs/src/protocol/requests/produce/v7/request.js') as (
  options: object,
) => WireRequest;
const produceAnswer = require('kafkajs/src/protocol/requests/produce/v7/response.js') as {
  decode(body: Buffer): Promise<ProduceAnswer>;
};
export const decodeProduceAnswer = (body: Buffer): Promise<ProduceAnswer> => produceAnswer.decode(body);
