import type { Kafka, Producer } from 'kafkajs';
import { Partitioners } from 'kafkajs';
import type { Acknowledgement } from '#events';

/**
 * Sends answers. KafkaJS 2.2.4 can lose what it reports as stored when two sends are in flight or when it goes on after a
 * rejection (it gives sequence numbers out twice), so: one send at a time, and a rejection ends the producer.
 */
export class AnswerProducer {
  private producer: Producer | null = null;

  constructor(
    private readonly kafka: Kafka,
    private readonly topic: string,
  ) {}

  /** One call at a time. */
  async send(answers: readonly Acknowledgement[]): Promise<void> {
    try {
      this.producer ??= await this.open();
      const headers = { 'content-type': 'application/json' };
      const messages = answers.map((answer) => ({ key: answer.id, value: JSON.stringify(answer), headers }));
      await this.producer.send({ topic: this.topic, acks: -1, messages });
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  async close(): Promise<void> {
    const { producer } = this;
    this.producer = null;
    // It failed already, or nobody waits for it any more.
    await producer?.disconnect().catch(() => undefined);
  }

  private async open(): Promise<Producer> {
    const producer = this.kafka.producer({
      idempotent: true,
      maxInFlightRequests: 1,
      allowAutoTopicCreation: false,
      createPartitioner: Partitioners.DefaultPartitioner,
      retry: { retries: 3, initialRetryTime: 100, maxRetryTime: 1_000 },
    });
    await producer.connect();
    return producer;
  }
}
