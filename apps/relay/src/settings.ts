import { integer, kafkaAccess, oneOf, readSettings, rules, SettingRefused, shared, tracing } from '#settings';

export type RelaySettings = ReturnType<typeof readRelaySettings>;

/** For every program of this installation that speaks to Kafka as its own. */
export const kafkaReaders = {
  ...kafkaAccess,
  kafkaBrokers: requiredBrokers,
  /** 0: what the broker gives by default. */
  kafkaReplicationFactor: integer('KAFKA_REPLICATION_FACTOR', { min: 0, max: 10, fallback: 0 }),
};

/** Everything the relay process can be told. Refuses to start with the variable's name; secrets are never printed. */
export function readRelaySettings(env: NodeJS.ProcessEnv) {
  return readSettings(env, {
    ...shared,
    ...rules,
    ...tracing,
    ...kafkaReaders,
    /** Off: another follows the journal and publishes events and notices; the states stay ours. */
    relay: oneOf('RELAY', ['on', 'off'], 'on'),
    /** From the end of a sweep of the states topic to the next; 0: never. */
    statesSweepSeconds: integer('STATES_SWEEP_SECONDS', { min: 0, max: 86_400, fallback: 300 }),
    port: integer('PORT', { min: 0, max: 65_535, fallback: 3001 }),
  });
}

/** Without Kafka there is nothing for this process to do; the events are served over HTTP by the API. */
function requiredBrokers(env: NodeJS.ProcessEnv): readonly string[] {
  const brokers = shared.kafkaBrokers(env);
  if (brokers.length > 0) return brokers;
  throw new SettingRefused(
    'KAFKA_BROKERS: it is not set; allowed: host:port, comma-separated (without Kafka no relay is needed: GET /v1/events)',
  );
}
