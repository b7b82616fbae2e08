import type { DynamicModule } from '@nestjs/common';
import { Module } from '@nestjs/common';
import type { Logger } from 'pino';
import { Answers, AwaitedSettings, IdentityModule, Resolver, Sealer } from '#identity';
import { topicName, topics as eventTopics } from '#events';
import { Database } from '#store';
import type { Tracer } from '#tracing';
import { Inbound } from './inbound/inbound.js';
import { createKafka, groupRequestTimeoutMs } from './kafka/client.js';
import { RelayMetrics } from './operation/metrics.js';
import { OperationController } from './operation/operation.controller.js';
import { Readiness } from './operation/readiness.js';
import { Relay } from './publish/relay.js';
import type { RelaySettings } from './settings.js';
import { StateSweep } from './states/state-sweep.js';

/**
 * How long a relay that was killed keeps its shards from the others. Shorter would let go of one that merely waits for
 * the database: it asks for more time when a third is gone.
 */
const leaseMs = 30_000;

export interface RelayModuleOptions {
  readonly settings: RelaySettings;
  readonly logger: Logger;
  readonly database: Database;
  readonly relayId: string;
  readonly tracer: Tracer | null;
}

/** Nothing that comes in by Kafka asks WeChat. */
const wechat = { baseUrl: 'https://api.weixin.qq.com', onCall: () => undefined };

/** How does it reach Kafka, and come in from Kafka? */
@Module({})
export class RelayModule {
  static register({ settings, logger, database, relayId, tracer }: RelayModuleOptions): DynamicModule {
    const topics = { prefix: settings.kafkaTopicPrefix, replicationFactor: settings.kafkaReplicationFactor };
    const sealer = new Sealer(settings.secretsKey, settings.secretsKeyPrevious);
    const onlyStates = settings.relay === 'off';
    const rules = new AwaitedSettings(settings);
    return {
      module: RelayModule,
      imports: [IdentityModule.register({ database, settings: rules, sealer, operatorKey: null, wechat })],
      controllers: [OperationController],
      providers: [
        RelayMetrics,
        Readiness,
        {
          provide: Relay,
          inject: [RelayMetrics],
          useFactory: (metrics: RelayMetrics) => {
            const kafka = createKafka(settings, `unionlink-relay-${relayId}`, logger);
            return new Relay(database, kafka, metrics, logger, { relayId, topics, leaseMs, tracer, onlyStates });
          },
        },
        {
          provide: StateSweep,
          inject: [RelayMetrics],
          useFactory: (metrics: RelayMetrics) => {
            const kafka = createKafka(settings, `unionlink-sweep-${relayId}`, logger, groupRequestTimeoutMs);
            return new StateSweep({
              database,
              kafka,
              topic: topicName(topics.prefix, eventTopics.userStates),
              groupId: `${topics.prefix}unionlink.states-sweep`,
              owner: relayId,
              everyMs: settings.statesSweepSeconds * 1_000,
              metrics,
              logger,
            });
          },
        },
        {
          provide: Inbound,
          inject: [RelayMetrics, Resolver, Answers],
          useFactory: (metrics: RelayMetrics, resolver: Resolver, answers: Answers) => {
            const kafka = createKafka(settings, `unionlink-inbound-${relayId}`, logger, groupRequestTimeoutMs);
            const onWait = (reason: string): void =>
              logger.warn({ reason }, 'the database cannot be asked yet; inbound topics wait for it');
            const prepare = (signal: AbortSignal): Promise<void> => rules.load({ database, sealer, signal, onWait });
            return new Inbound({ kafka, metrics, logger, prefix: topics.prefix, resolver, answers, tracer, prepare });
          },
        },
      ],
    };
  }
}
