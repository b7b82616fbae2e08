export { root } from './root.js';

/** A refusal to start: names the variable, what was found and what is allowed. Never carries a secret's value. */
export class SettingRefused extends Error {
  override readonly name = 'SettingRefused';
}

type Reader<T> = (env: NodeJS.ProcessEnv) => T;

interface Options {
  /** The value is a secret: a refusal says only that it does not fit. */
  readonly secret?: boolean;
}

function found(value: string | undefined, options: Options): string {
  if (value === undefined || value === '') return 'it is not set';
  return options.secret === true ? 'its value does not fit (not shown)' : `found "${value.slice(0, 80)}"`;
}

/** A text that must match; `fallback` undefined means required. An empty variable counts as not set. */
export function text<T extends string | null = never>(
  variable: string,
  rule: { readonly pattern: RegExp; readonly allowed: string; readonly fallback?: T } & Options,
): Reader<string | T> {
  return (env) => {
    const value = env[variable];
    if ((value === undefined || value === '') && rule.fallback !== undefined) return rule.fallback;
    if (value === undefined || !rule.pattern.test(value)) {
      throw new SettingRefused(`${variable}: ${found(value, rule)}; allowed: ${rule.allowed}`);
    }
    return value;
  };
}

/** A whole number inside its bounds, both included. */
export function integer(
  variable: string,
  rule: { readonly min: number; readonly max: number; readonly fallback: number },
): Reader<number> {
  return (env) => {
    const value = env[variable];
    if (value === undefined || value === '') return rule.fallback;
    const number = Number(value);
    if (!/^\d{1,15}$/.test(value) || number < rule.min || number > rule.max) {
      throw new SettingRefused(
        `${variable}: ${found(value, {})}; allowed: a whole number from ${rule.min} to ${rule.max}`,
      );
    }
    return number;
  };
}

/** One word out of a list. */
export function oneOf<const T extends readonly string[]>(
  variable: string,
  words: T,
  fallback: T[number],
): Reader<T[number]> {
  return (env) => {
    const value = env[variable];
    if (value === undefined || value === '') return fallback;
    const word = words.find((candidate) => candidate === value);
    if (word === undefined)
      throw new SettingRefused(`${variable}: ${found(value, {})}; allowed: one of ${words.join(', ')}`);
    return word;
  };
}

/** 32 bytes in base64: the key that seals secrets at rest. */
export function secretsKey(variable: string): Reader<Buffer> {
  return (env) => {
    const value = env[variable];
    const bytes = Buffer.from(value ?? '', 'base64');
    if (value === undefined || bytes.length !== 32 || !/^[A-Za-z0-9+/]{43}=$/.test(value)) {
      throw new SettingRefused(
        `${variable}: ${found(value, { secret: true })}; allowed: 32 bytes in base64 (openssl rand -base64 32)`,
      );
    }
    return bytes;
  };
}

/** The same, and null where it is not set. */
export function optionalSecretsKey(variable: string): Reader<Buffer | null> {
  return (env) => (env[variable] === undefined || env[variable] === '' ? null : secretsKey(variable)(env));
}

const postgresUrl = {
  pattern: /^postgres(ql)?:\/\/\S+$/,
  allowed: 'a URL of PostgreSQL 15 or newer, postgresql://…',
  secret: true,
};

/** The variables that every process of ours understands the same way (README, "Settings"). */
export const shared = {
  databaseUrl: text('DATABASE_URL', postgresUrl),
  databasePoolMax: integer('DATABASE_POOL_MAX', { min: 2, max: 200, fallback: 10 }),
  kafkaBrokers: (env: NodeJS.ProcessEnv): readonly string[] =>
    text('KAFKA_BROKERS', {
      pattern: /^[^\s,:]+:\d+(,[^\s,:]+:\d+)*$/,
      allowed: 'host:port, comma-separated, or empty',
      fallback: '',
    })(env)
      .split(',')
      .filter((broker) => broker !== ''),
  kafkaTopicPrefix: text('KAFKA_TOPIC_PREFIX', {
    pattern: /^[A-Za-z0-9._-]{1,100}$/,
    allowed: 'up to 100 characters of A-Z a-z 0-9 . _ -',
    fallback: '',
  }),
  host: text('HOST', { pattern: /^[A-Za-z0-9.:_-]{1,255}$/, allowed: 'a host name or address', fallback: '127.0.0.1' }),
  logLevel: oneOf('LOG_LEVEL', ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'], 'info'),
  wechatBaseUrl: text('WECHAT_BASE_URL', {
    pattern: /^https?:\/\/[^\s/?#]+(\/[^\s?#]*)?$/,
    allowed: 'an http(s) URL without query',
    fallback: 'https://api.weixin.qq.com',
  }),
  eventsRetentionDays: integer('EVENTS_RETENTION_DAYS', { min: 1, max: 3650, fallback: 30 }),
};

/** Where Kafka is and how it lets us in; `kafkaConfigOf` makes KafkaJS's own settings of it. */
export const kafkaAccess = {
  kafkaBrokers: shared.kafkaBrokers,
  kafkaTopicPrefix: shared.kafkaTopicPrefix,
  kafkaSsl: oneOf('KAFKA_SSL', ['true', 'false'], 'false'),
  kafkaSaslMechanism: oneOf('KAFKA_SASL_MECHANISM', ['', 'plain', 'scram-sha-256', 'scram-sha-512'], ''),
  kafkaSaslUsername: text('KAFKA_SASL_USERNAME', { pattern: /^.{1,255}$/, allowed: 'a user name', fallback: '' }),
  kafkaSaslPassword: text('KAFKA_SASL_PASSWORD', {
    pattern: /^.{1,1024}$/,
    allowed: 'a password',
    fallback: '',
    secret: true,
  }),
};

export type KafkaAccess = { readonly [K in keyof typeof kafkaAccess]: ReturnType<(typeof kafkaAccess)[K]> };

type Login<Mechanism> = Mechanism extends string
  ? { readonly mechanism: Mechanism; readonly username: string; readonly password: string }
  : never;

/** Throws SettingRefused where a mechanism is set without its user or password. */
export function kafkaConfigOf({ kafkaBrokers, kafkaSsl, ...access }: KafkaAccess): {
  readonly brokers: string[];
  readonly ssl: boolean;
  readonly sasl?: Login<Exclude<KafkaAccess['kafkaSaslMechanism'], ''>>;
} {
  const { kafkaSaslMechanism: mechanism, kafkaSaslUsername: username, kafkaSaslPassword: password } = access;
  const reach = { brokers: [...kafkaBrokers], ssl: kafkaSsl === 'true' };
  if (mechanism === '') return reach;
  const missing = [username === '' && 'KAFKA_SASL_USERNAME', password === '' && 'KAFKA_SASL_PASSWORD'].filter(Boolean);
  if (missing.length > 0)
    throw new SettingRefused(`${missing.join(', ')}: not set; KAFKA_SASL_MECHANISM is ${mechanism}`);
  return { ...reach, sasl: { mechanism, username, password } };
}

/** For services that ask this one. */
export const identityService = {
  url: text('IDENTITY_URL', { pattern: /^https?:\/\/\S+$/, allowed: 'the URL of the identity service' }),
  apiKey: text('IDENTITY_API_KEY', { pattern: /^\S+$/, allowed: 'a key with the scope read', secret: true }),
};

/** Traces, off where there is no endpoint; OpenTelemetry's own names, so that one setting serves every service. */
export const tracing = {
  otlpEndpoint: text('OTEL_EXPORTER_OTLP_ENDPOINT', {
    pattern: /^https?:\/\/[^\s/?#]+(\/[^\s?#]*)?$/,
    allowed: 'an http(s) URL of an OTLP/HTTP receiver, or not set',
    fallback: null,
  }),
  otlpHeaders: text('OTEL_EXPORTER_OTLP_HEADERS', {
    pattern: /^[\x20-\x7e]{1,4096}$/,
    allowed: 'name=value, comma-separated',
    fallback: '',
    secret: true,
  }),
  otelServiceName: text('OTEL_SERVICE_NAME', { pattern: /^.{1,255}$/, allowed: 'a name', fallback: '' }),
  otelSamplerRatio: text('OTEL_TRACES_SAMPLER_ARG', {
    pattern: /^(0(\.\d{1,9})?|1(\.0{1,9})?)$/,
    allowed: 'a number from 0 to 1',
    fallback: '1',
  }),
};

/** What every process that applies the rules needs: one installation, one set of them. */
export const rules = {
  secretsKey: secretsKey('SECRETS_KEY'),
  secretsKeyPrevious: optionalSecretsKey('SECRETS_KEY_PREVIOUS'),
  identitiesPerUserMax: integer('IDENTITIES_PER_USER_MAX', { min: 1, max: 1000, fallback: 100 }),
  identitiesPerUserPerHourMax: integer('IDENTITIES_PER_USER_PER_HOUR_MAX', { min: 0, max: 1000, fallback: 0 }),
  identitiesPerUserHardMax: integer('IDENTITIES_PER_USER_HARD_MAX', { min: 1, max: 1000, fallback: 1000 }),
};

/** Reads every setting once; reports all that is wrong at once, so that a set-up is mended in one go. */
export function readSettings<T extends Record<string, Reader<unknown>>>(
  env: NodeJS.ProcessEnv,
  readers: T,
): { readonly [K in keyof T]: ReturnType<T[K]> } {
  const refusals: string[] = [];
  const settings: Record<string, unknown> = {};
  for (const [name, read] of Object.entries(readers)) {
    try {
      settings[name] = read(env);
    } catch (error) {
      if (!(error instanceof SettingRefused)) throw error;
      refusals.push(error.message);
    }
  }
  if (refusals.length > 0) throw new SettingRefused(refusals.join('\n'));
  return settings as { [K in keyof T]: ReturnType<T[K]> };
}
