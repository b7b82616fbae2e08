import { pino } from 'pino';
import { integer, readSettings, SettingRefused, shared } from '#settings';
import { startSandbox } from './sandbox.js';

async function main(): Promise<void> {
  const settings = readSettings(process.env, {
    host: shared.host,
    logLevel: shared.logLevel,
    port: integer('PORT', { min: 0, max: 65_535, fallback: 3100 }),
  });
  const logger = pino({ level: settings.logLevel, base: { app: 'sandbox' }, timestamp: pino.stdTimeFunctions.isoTime });
  const sandbox = await startSandbox({ port: settings.port, host: settings.host, logger });
  const stop = (signal: string): void => {
    logger.info({ signal }, 'stopping');
    sandbox.close().then(
      () => process.exit(0),
      (error: unknown) => {
        logger.error({ err: error }, 'stopping failed');
        process.exit(1);
      },
    );
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
  logger.info({ url: sandbox.url }, 'listening');
}

main().catch((error: unknown) => {
  const message =
    error instanceof SettingRefused ? error.message : error instanceof Error ? error.stack : String(error);
  process.stderr.write(`${message}\n`);
  process.exit(1);
});
