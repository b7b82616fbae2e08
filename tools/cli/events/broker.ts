import { setTimeout as delay } from 'node:timers/promises';
import { pino } from 'pino';
import { createKafka } from '../../../apps/relay/src/kafka/client.js';
import type { SinkRecord } from '../../../apps/relay/src/kafka/sink.js';
import { KafkaSink } from '../../../apps/relay/src/kafka/sink.js';
import { guardTimer } from '../../../apps/relay/src/kafka/timer-guard.js';
import { prepareTopics, TopicRefused } from '../../../apps/relay/src/kafka/topics.js';
import { RecordMaker } from '../../../apps/relay/src/publish/records.js';
import { kafkaReaders } from '../../../apps/relay/src/settings.js';
import { readSettings, shared, SettingRefused } from '../../../libs/settings/src/index.js';
import { Database } from '../../../libs/store/src/index.js';
import { Refusal } from '../../machine.js';

export interface Broker {
  readonly database: Database;
  readonly records: RecordMaker;
  readonly sink: KafkaSink;
  /** Tries for a while; what failed may be there all the same, and comes again: consumers know a repetition. */
  readonly send: (records: readonly SinkRecord[]) => Promise<void>;
}

const sendTries = 5;
const betweenTriesMs = 1_000;

/** Database and Kafka of this installation, for one command; with the relay's producer and its rules. */
export async function withBroker<T>(work: (broker: Broker) => Promise<T>): Promise<T> {
  const settings = readBrokerSettings();
  process.env.KAFKAJS_NO_PARTITIONER_WARNING = '1';
  guardTimer();
  const kafka = createKafka(settings, 'unionlink-cli', pino({ level: 'silent' }));
  const { kafkaTopicPrefix: prefix, kafkaReplicationFactor: replicationFactor } = settings;
  const admin = kafka.admin();
  const database = new Database({ url: settings.databaseUrl, poolMax: 2, applicationName: 'unionlink-cli' });
  let sink: KafkaSink | null = null;
  try {
    await admin.connect();
    sink = new KafkaSink(kafka, await prepareTopics(admin, { prefix, replicationFactor }));
    const open = sink;
    return await work({
      database,
      records: new RecordMaker(prefix),
      sink,
      send: (records) => sendOrTry(open, records),
    });
  } catch (error) {
    if (error instanceof TopicRefused) throw new Refusal(error.message);
    if (error instanceof Error && error.name.startsWith('KafkaJS'))
      throw new Refusal(`Kafka at ${settings.kafkaBrokers.join(',')}: ${error.message}`, { cause: error });
    throw error;
  } finally {
    await sink?.close();
    await admin.disconnect().catch(() => undefined);
    await database.close();
  }
}

async function sendOrTry(sink: KafkaSink, records: readonly SinkRecord[]): Promise<void> {
  for (let tried = 1; ; tried += 1) {
    try {
      return await sink.send(records);
    } catch (error) {
      if (tried === sendTries) throw error;
      await delay(betweenTriesMs);
    }
  }
}

function readBrokerSettings() {
  try {
    return readSettings(process.env, { databaseUrl: shared.databaseUrl, ...kafkaReaders });
  } catch (error) {
    throw error instanceof SettingRefused ? new Refusal(error.message) : error;
  }
}
