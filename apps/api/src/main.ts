import 'reflect-metadata';
import { setTimeout as delay } from 'node:timers/promises';
import { pino } from 'pino';
import { AwaitedSettings, Sealer } from '#identity';
import { SettingRefused } from '#settings';
import { Database } from '#store';
import { createApi } from './http-server.js';
import { Background } from './operation/background.js';
import { Metrics } from './operation/metrics.js';
import { readApiSettings } from './settings.js';

const stopWithinMs = 10_000;
/** With a database that answers nobody sees the door open before the rules are ready. */
const listenAfterMs = 1_000;

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
  const rules = new AwaitedSettings(settings);
  const stopping = new AbortController();
  const app = await createApi(settings, logger, metrics, {
    tally: metrics,
    wechat: { baseUrl: settings.wechatBaseUrl, onCall: (report) => metrics.wechatCall(report) },
    database,
    sealer,
    operatorKey: settings.operatorApiKey,
    settings: rules,
  });
  const stop = (signal: string): void => {
    logger.info({ signal }, 'stopping');
    stopping.abort();
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
  const onWait = (reason: string): void =>
    logger.warn({ reason }, 'the database cannot be asked yet; until then every call is answered 503');
  const loading = rules.load({ database, sealer, signal: stopping.signal, onWait });
  await Promise.race([loading, delay(listenAfterMs, undefined, { ref: false })]);
  await app.listen(settings.port, settings.host);
  logger.info({ url: await app.getUrl() }, 'listening');
  await loading;
  if (!stopping.signal.aborted) app.get(Background).start();
}

main().catch((error: unknown) => {
  const message =
    error instanceof SettingRefused ? error.message : error instanceof Error ? error.stack : String(error);
  process.stderr.write(`${message}\n`);
  process.exit(1);
});
