import { kafkaAccess, kafkaConfigOf, readSettings } from './index.js';

const configOf = (more: NodeJS.ProcessEnv): object =>
  kafkaConfigOf(readSettings({ KAFKA_BROKERS: 'a:9092,b:9093', ...more }, kafkaAccess));

describe('The way into Kafka', () => {
  const login = { KAFKA_SASL_MECHANISM: 'scram-sha-512', KAFKA_SASL_USERNAME: 'me', KAFKA_SASL_PASSWORD: 'pass' };

  it('is plain unless TLS or a login is asked for', () => {
    expect(configOf({})).toEqual({ brokers: ['a:9092', 'b:9093'], ssl: false });
    const sasl = { mechanism: 'scram-sha-512', username: 'me', password: 'pass' };
    expect(configOf({ KAFKA_SSL: 'true', ...login })).toEqual({ brokers: ['a:9092', 'b:9093'], ssl: true, sasl });
  });

  it.each(['KAFKA_SASL_USERNAME', 'KAFKA_SASL_PASSWORD'])('is refused without %s', (missing) => {
    expect(() => configOf({ ...login, [missing]: '' })).toThrow(`${missing}: not set; KAFKA_SASL_MECHANISM is`);
  });

  it('is refused with a mechanism that KafkaJS lacks', () => {
    expect(() => configOf({ ...login, KAFKA_SASL_MECHANISM: 'gssapi' })).toThrow(
      /^KAFKA_SASL_MECHANISM: found "gssapi"/,
    );
  });
});
