import type { DynamicModule } from '@nestjs/common';
import { Module } from '@nestjs/common';
import type { Logger } from 'pino';
import { Database } from '#store';
import { createKafka } from './kafka/client.js';
import { RelayMetrics } from './operation/metrics.js';
import { OperationController } from './operation/operation.controller.js';
import { Readiness } from './operation/readiness.js';
import { Relay } from './publish/relay.js';
import type { RelaySettings } from './settings.js';

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
}

/** How does it reach Kafka? */
@Module({})
export class RelayModule {
  static register({ settings, logger, database, relayId }: RelayModuleOptions): DynamicModule {
    const topics = { prefix: settings.kafkaTopicPrefix, replicationFactor: settings.kafkaReplicationFactor };
    return {
      module: RelayModule,
      controllers: [OperationController],
      providers: [
        { provide: Database, useValue: database },
        RelayMetrics,
        Readiness,
        {
          provide: Relay,
          inject: [RelayMetrics],
          useFactory: (metrics: RelayMetrics) => {
            const kafka = createKafka(settings, `unionlink-relay-${relayId}`, logger);
            return new Relay(database, kafka, metrics, logger, { relayId, topics, leaseMs });
          },
        },
      ],
    };
  }
}
