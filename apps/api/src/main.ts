import 'reflect-metadata';
import { pino } from 'pino';
import { readPepper, Sealer } from '#identity';
import { SettingRefused } from '#settings';
import { Database } from '#store';
import { createApi } from './http-server.js';
import { Metrics } from './operation/metrics.js';
import { readApiSettings } from './settings.js';

const stopWithinMs = 10_000;

async function main(): Promise<void> {
  const settings = readApiSettings(process.env);
  const logger = pino({ level: settings.logLevel, base: { app: 'api' }, timestamp: pino.stdTimeFunctions.isoTime });
  const database = new Database({
    url: settings.databaseUrl,
    poolMax: settings.databasePoolMax,
    applicationName: 'unionlink-api',
  });
  const sealer = new Sealer(settings.secretsKey, settings.secretsKeyPrevious);
  const metrics = new Metrics();
  const app = await createApi(settings, logger, metrics, {
    tally: metrics,
    wechat: { baseUrl: settings.wechatBaseUrl, onCall: (report) => metrics.wechatCall(report) },
    database,
    sealer,
    operatorKey: settings.operatorApiKey,
    settings: {
      identitiesPerUserMax: settings.identitiesPerUserMax,
      identitiesPerUserHardMax: settings.identitiesPerUserHardMax,
      signingKeyRotateDays: settings.signingKeyRotateDays,
      pepper: await readPepper(database, sealer),
    },
  });
  const stop = (signal: string): void => {
    logger.info({ signal }, 'stopping');
    setTimeout(() => {
      logger.error('what was running did not end in time');
      process.exit(1);
    }, stopWithinMs).unref();
    app
      .close()
      .then(() => database.close())
      .then(
        () => process.exit(0),
        (error: unknown) => {
          logger.error({ err: error }, 'stopping failed');
          process.exit(1);
        },
      );
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
  await app.listen(settings.port, settings.host);
  logger.info({ url: await app.getUrl() }, 'listening');
}

main().catch((error: unknown) => {
  const message =
    error instanceof SettingRefused ? error.message : error instanceof Error ? error.stack : String(error);
  process.stderr.write(`${message}\n`);
  process.exit(1);
});
