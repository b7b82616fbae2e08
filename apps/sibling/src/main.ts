import { Module, ValidationPipe } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { Pool } from 'pg';
import { pino } from 'pino';
import { feed, IdentityFollower, kafka, pgStore } from '#consumer';
import { identityService, integer, kafkaAccess, kafkaConfigOf, readSettings, shared } from '#settings';
import { PointsController } from './points.controller.js';
import { handlers, pointsTable } from './points.js';

@Module({ controllers: [PointsController] })
class Sibling {}

async function main(): Promise<void> {
  const port = integer('PORT', { min: 0, max: 65_535, fallback: 3200 });
  const settings = readSettings(process.env, { ...shared, ...kafkaAccess, ...identityService, port });
  const { kafkaTopicPrefix: topicPrefix, url, apiKey } = settings;
  const logger = pino({ level: settings.logLevel, base: { app: 'sibling' }, timestamp: pino.stdTimeFunctions.isoTime });
  const pool = new Pool({ connectionString: settings.databaseUrl, max: settings.databasePoolMax });
  pool.on('error', (error) => logger.warn({ err: error }, 'a connection to the database was lost'));
  await pool.query(pointsTable);
  const overKafka = settings.kafkaBrokers.length > 0;
  const follower = new IdentityFollower({
    source: overKafka ? kafka({ ...kafkaConfigOf(settings), topicPrefix, groupId: 'points' }) : feed({ url, apiKey }),
    store: pgStore(pool),
    handlers,
    identityService: { url, apiKey },
    log: (level, message, { error, ...fields } = {}) => logger[level]({ ...fields, err: error }, message),
  });
  const app = await NestFactory.create<NestFastifyApplication>(
    { module: Sibling, providers: [{ provide: IdentityFollower, useValue: follower }] },
    new FastifyAdapter({ forceCloseConnections: true }),
    { logger: false, abortOnError: false },
  );
  app.useGlobalPipes(new ValidationPipe({ transform: true, whitelist: true, forbidNonWhitelisted: true }));
  // Nest tells the follower to stop, which ends the transaction in hand; only then the process exits.
  app.enableShutdownHooks(['SIGTERM', 'SIGINT'], { useProcessExit: true });
  await app.listen(settings.port, settings.host);
  logger.info({ url: await app.getUrl() }, 'listening');
}

main().catch((error: Error) => {
  process.stderr.write(`${error.stack ?? error.message}\n`);
  process.exit(1);
});
