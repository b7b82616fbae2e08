import 'reflect-metadata';
import { randomUUID } from 'node:crypto';
import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import type { Logger } from 'pino';
import { pino } from 'pino';
import { SettingRefused } from '#settings';
import { Database, relayApplicationName } from '#store';
import type { Tracer } from '#tracing';
import { Inbound } from './inbound/inbound.js';
import { TopicRefused } from './kafka/topics.js';
import { guardFetch } from './kafka/fetch-guard.js';
import { guardTimer } from './kafka/timer-guard.js';
import { Relay } from './publish/relay.js';
import { RelayModule } from './relay.module.js';
import type { RelaySettings } from './settings.js';
import { readRelaySettings } from './settings.js';
import { StateSweep } from './states/state-sweep.js';

const stopWithinMs = 10_000;

async function main(): Promise<void> {
  const settings = readRelaySettings(process.env);
  const logger = pino({ level: settings.logLevel, base: { app: 'relay' }, timestamp: pino.stdTimeFunctions.isoTime });
  // We choose the partitioner; its warning is for those who do not.
  process.env.KAFKAJS_NO_PARTITIONER_WARNING = '1';
  const areGuarded = [guardTimer(), guardFetch()];
  if (areGuarded.includes(false))
    logger.warn('this KafkaJS is not the one that our guards were made for; it is left as it is');
  const relayId = randomUUID();
  const tracer = await tracerOf(settings, logger);
  const database = new Database({
    url: settings.databaseUrl,
    poolMax: settings.databasePoolMax,
    applicationName: relayApplicationName(relayId),
    watch: tracer?.watch,
  });
  const app = await NestFactory.create<NestFastifyApplication>(
    RelayModule.register({ settings, logger, database, relayId, tracer }),
    new FastifyAdapter({ forceCloseConnections: true }),
    { logger: false, abortOnError: false },
  );
  const relay = app.get(Relay);
  const inbound = app.get(Inbound);
  const sweep = app.get(StateSweep);
  const stop = async (signal: string): Promise<void> => {
    logger.info({ signal }, 'stopping');
    setTimeout(() => process.exit(1), stopWithinMs).unref();
    await Promise.all([inbound.stop(), relay.stop(), sweep.stop()]);
    await app.close();
    await Promise.all([database.close(), tracer?.close()]);
    process.exit(0);
  };
  process.once('SIGTERM', (signal) => void stop(signal).catch(fail));
  process.once('SIGINT', (signal) => void stop(signal).catch(fail));
  await app.listen(settings.port, settings.host);
  logger.info({ url: await app.getUrl(), relayId }, 'listening');
  const partitionCounts = await relay.start();
  if (partitionCounts === null) return;
  sweep.start();
  await inbound.start(partitionCounts);
}

/** Loaded where it is asked for: nobody else pays for it. */
async function tracerOf({ otlpEndpoint, ...settings }: RelaySettings, logger: Logger): Promise<Tracer | null> {
  if (otlpEndpoint === null) return null;
  const { Tracer } = await import('#tracing');
  return new Tracer({ otlpEndpoint, ...settings }, 'unionlink-relay', (reason, dropped) =>
    logger.warn({ reason, dropped }, 'spans could not be sent, and are dropped'),
  );
}

function fail(error: unknown): void {
  const isPlain = error instanceof SettingRefused || error instanceof TopicRefused;
  const message = isPlain ? error.message : error instanceof Error ? error.stack : String(error);
  process.stderr.write(`${message}\n`);
  process.exit(1);
}

main().catch(fail);
