import kafkajs, { type Admin } from 'kafkajs';
import { prepareTopics } from '../apps/relay/src/kafka/topics.js';
import { createSmallTopics, freshTopicPrefix, kafkaClient } from './harness/kafka.js';
import { until } from './harness/until.js';

describe('Topics that are there when a relay starts', () => {
  const prefix = freshTopicPrefix();
  const observations = `${prefix}identity.observations.v1`;
  const events = `${prefix}identity.user-events.v1`;
  let admin: Admin;

  const set = async (name: string, settings: Record<string, string>): Promise<void> => {
    await admin.alterConfigs({
      validateOnly: false,
      resources: [
        {
          type: kafkajs.ConfigResourceTypes.TOPIC,
          name,
          configEntries: Object.entries(settings).map(([key, value]) => ({ name: key, value })),
        },
      ],
    });
    await shows(name, settings);
  };

  const settingsOf = async (name: string): Promise<Record<string, string>> => {
    const resource = { type: kafkajs.ConfigResourceTypes.TOPIC, name };
    const { resources } = await admin.describeConfigs({ includeSynonyms: false, resources: [resource] });
    const own = (resources[0]?.configEntries ?? []).filter(
      ({ configSource }) => configSource === kafkajs.ConfigSource.TOPIC_CONFIG,
    );
    return Object.fromEntries(own.map(({ configName, configValue }) => [configName, configValue]));
  };

  /** A broker answers before it has heard of a change itself. */
  const shows = async (name: string, settings: Record<string, string>): Promise<void> => {
    const isShown = async (): Promise<boolean> => {
      const found = await settingsOf(name);
      return Object.entries(settings).every(([key, value]) => found[key] === value);
    };
    await until(isShown, { timeoutMs: 10_000, what: `${name} with ${JSON.stringify(settings)}` });
  };

  beforeAll(async () => {
    admin = kafkaClient().admin();
    await admin.connect();
    await createSmallTopics(prefix);
  });
  afterAll(() => admin.disconnect());

  it('get the settings they lack, keep those of others, and a short retention is told and left', async () => {
    await set(observations, { 'cleanup.policy': 'delete', 'compression.type': 'gzip', 'segment.bytes': '20000000' });
    await set(events, { 'cleanup.policy': 'delete', 'retention.ms': '3600000', 'compression.type': 'zstd' });
    const warnings: object[] = [];
    const counts = await prepareTopics(admin, { prefix, replicationFactor: 0 }, (what) => warnings.push(what));
    expect(counts.get(events)).toBe(3);
    expect(warnings).toEqual([{ topic: events, reason: 'retention.ms is less than is promised to consumers' }]);
    await shows(observations, {
      'cleanup.policy': 'delete',
      'compression.type': 'uncompressed',
      'segment.bytes': '20000000',
      'max.message.bytes': '2097152',
    });
    await shows(events, {
      'retention.ms': '3600000',
      'max.message.bytes': '2097152',
      'compression.type': 'producer',
    });
    await shows(`${prefix}identity.user-states.v1`, { 'delete.retention.ms': '604800000' });
  });
});
