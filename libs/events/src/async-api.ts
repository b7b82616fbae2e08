import { noticeTypes, userEventTypes, userStateType } from './event.js';
import { schemas } from './from-schemas/schemas.js';
import type { Topic } from './topics.js';
import { topicName, topics } from './topics.js';
import type { Schema } from './types-of-schemas.js';
import { schemaName } from './types-of-schemas.js';

type Channel = keyof typeof topics;

/** What travels on a topic: names of components/messages. */
const messagesOn: Readonly<Record<Channel, readonly string[]>> = {
  userEvents: userEventTypes,
  userStates: [userStateType],
  notices: noticeTypes,
  acknowledgements: ['acknowledgement'],
  observations: ['observation'],
  deadLetters: ['dead-letter'],
};

export interface AsyncApiOptions {
  /** Of the product. */
  readonly version: string;
  /** KAFKA_TOPIC_PREFIX. */
  readonly topicPrefix?: string;
}

/** The AsyncAPI 3 document of everything on Kafka, built from the schemas and the topics that the code uses. */
export function asyncApiDocument({ version, topicPrefix = '' }: AsyncApiOptions): Readonly<Record<string, unknown>> {
  const channels = Object.keys(topics) as Channel[];
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'Unionlink events',
      version,
      description:
        'CloudEvents 1.0 in binary mode. Every step of a user carries the whole state of that user after it; a ' +
        'consumer that ignores what is not above the (epoch, version) it holds is right under any redelivery.',
      license: { name: 'Apache-2.0', url: 'https://www.apache.org/licenses/LICENSE-2.0' },
    },
    defaultContentType: 'application/json',
    channels: Object.fromEntries(channels.map((name) => [name, channel(name, topicPrefix)])),
    operations: Object.fromEntries(channels.map((name) => [name, operation(name)])),
    components: {
      messages: Object.fromEntries(
        channels.flatMap((name) => messagesOn[name].map((type) => [type, message(name, type)])),
      ),
      messageTraits: { cloudEvent: { headers: { $ref: '#/components/schemas/cloud-event-headers' } } },
      schemas: {
        ...Object.fromEntries(schemas.map((schema) => [schemaName(schema), embedded(schema)])),
        'cloud-event-headers': cloudEventHeaders,
        'dead-letter-headers': deadLetterHeaders,
      },
    },
  };
}

function channel(name: Channel, prefix: string): object {
  const topic: Topic = topics[name];
  return {
    address: topicName(prefix, topic),
    description: `${topic.description} Key: ${topic.key}.`,
    messages: Object.fromEntries(messagesOn[name].map((type) => [type, { $ref: `#/components/messages/${type}` }])),
    bindings: {
      kafka: {
        topic: topicName(prefix, topic),
        partitions: topic.partitions,
        topicConfiguration: {
          'cleanup.policy': [topic.cleanupPolicy],
          ...(topic.retentionMs === null ? {} : { 'retention.ms': topic.retentionMs }),
        },
        bindingVersion: '0.5.0',
      },
    },
  };
}

function operation(name: Channel): object {
  const { direction, description } = topics[name];
  return {
    action: direction === 'out' ? 'send' : 'receive',
    channel: { $ref: `#/channels/${name}` },
    summary: description,
  };
}

function message(channelName: Channel, type: string): object {
  const payloadName = type === userStateType ? 'user-state' : type;
  const schema = schemas.find((candidate) => schemaName(candidate) === payloadName);
  return {
    name: type,
    title: type.replace(/^identity\.|\.v\d+$/g, ''),
    ...(schema?.description === undefined ? {} : { summary: schema.description }),
    contentType: 'application/json',
    ...(topics[channelName].direction === 'out' && schema !== undefined
      ? { traits: [{ $ref: '#/components/messageTraits/cloudEvent' }] }
      : {}),
    ...(channelName === 'deadLetters' ? { headers: { $ref: '#/components/schemas/dead-letter-headers' } } : {}),
    // A dead letter is whatever arrived, so it has no schema.
    ...(schema === undefined ? {} : { payload: { $ref: `#/components/schemas/${payloadName}` } }),
    bindings: { kafka: { key: { type: 'string', description: topics[channelName].key }, bindingVersion: '0.5.0' } },
  };
}

/** AsyncAPI has its own place for identifiers and its own references; the rest of our 2020-12 subset reads the same. */
function embedded(schema: Schema): unknown {
  const { $id: _id, $schema: _dialect, ...rest } = schema;
  return JSON.parse(JSON.stringify(rest), (name, value: unknown) =>
    name === '$ref' && typeof value === 'string'
      ? `#/components/schemas/${value.slice(value.lastIndexOf(':') + 1)}`
      : value,
  );
}

const cloudEventHeaders = {
  type: 'object',
  properties: {
    ce_specversion: { const: '1.0' },
    ce_id: { type: 'string', format: 'uuid', description: 'UUIDv7, the same in every redelivery.' },
    ce_source: { type: 'string', description: '/identity/{entityId}' },
    ce_type: { type: 'string' },
    ce_time: { type: 'string', format: 'date-time' },
    ce_subject: { type: 'string', description: 'The userId, where there is one.' },
    ce_partitionkey: { type: 'string', description: 'The Kafka key.' },
    ce_sequence: { type: 'string', pattern: '^\\d{10}$', description: "The user's version. Absent for notices." },
    ce_epoch: { type: 'string', pattern: '^\\d+$', description: 'The restore epoch: compare (epoch, sequence).' },
    ce_entityid: { type: 'string' },
    ce_dataschema: { type: 'string', format: 'uri' },
    ce_causationid: { type: 'string', description: 'The id of the request that made it happen.' },
    traceparent: { type: 'string' },
    'content-type': { const: 'application/json' },
  },
  required: [
    'ce_specversion',
    'ce_id',
    'ce_source',
    'ce_type',
    'ce_time',
    'ce_partitionkey',
    'ce_epoch',
    'ce_entityid',
    'ce_dataschema',
    'content-type',
  ],
};

const deadLetterHeaders = {
  type: 'object',
  description: 'Beside the headers of the record itself.',
  properties: {
    reason: {
      type: 'string',
      description: 'not_json, internal, or the code with which REST would have refused it (docs/errors.md).',
    },
    detail: { type: 'string', description: 'In words; never a value of the record.' },
    'source-topic': { type: 'string' },
    'source-partition': { type: 'string' },
    'source-offset': { type: 'string' },
    'source-timestamp': { type: 'string', description: 'Milliseconds since 1970.' },
    'value-bytes': { type: 'string', description: 'Only where the value was too large and is cut: how large it was.' },
  },
  required: ['reason', 'detail', 'source-topic', 'source-partition', 'source-offset', 'source-timestamp'],
};
