import { createTopic, freshTopicPrefix, readTopic } from '../harness/kafka.js';
import { type KafkaProxy, startKafkaProxy } from '../harness/kafka-proxy.js';
import { services } from '../harness/services.js';
import { startSimulatedBroker } from '../harness/simulated-broker.js';

/** A broker behind the proxy: the same cases are run over the simulated one and the real one. */
export interface Stage {
  readonly proxy: KafkaProxy;
  /** Past the proxy. */
  readonly brokers: string;
  /** A topic of its own for each case; answers its name. */
  topic(partitions?: number): Promise<string>;
  /** The values in it: by partition, and in each by offset. */
  stored(topic: string): Promise<string[]>;
  close(): Promise<void>;
}

export async function simulatedStage(): Promise<Stage> {
  const broker = await startSimulatedBroker();
  const proxy = await startKafkaProxy(broker.brokers);
  return {
    proxy,
    brokers: broker.brokers,
    topic: (partitions = 1) => {
      const name = freshTopicPrefix();
      broker.createTopic(name, partitions);
      return Promise.resolve(name);
    },
    stored: (topic) => Promise.resolve(broker.stored(topic)),
    close: async () => {
      await proxy.close();
      await broker.close();
    },
  };
}

export async function realStage(): Promise<Stage> {
  const proxy = await startKafkaProxy(services.kafkaBrokers);
  return {
    proxy,
    brokers: services.kafkaBrokers,
    topic: async (partitions = 1) => {
      const name = freshTopicPrefix();
      await createTopic(name, partitions);
      return name;
    },
    stored: async (topic) => (await readTopic(topic)).map(({ value }) => value ?? ''),
    close: () => proxy.close(),
  };
}
