import 'reflect-metadata';
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import { pino } from 'pino';
import { AwaitedSettings, Sealer } from '#identity';
import { SettingRefused } from '#settings';
import { Database } from '#store';
import type { Tracer } from '#tracing';
import type { CallReport } from '#wechat';
import { createApi } from './http-server.js';
import { Background } from './operation/background.js';
import { Metrics } from './operation/metrics.js';
import type { ApiSettings } from './settings.js';
import { readApiSettings } from './settings.js';

const stopWithinMs = 10_000;
/** With a database that answers nobody sees the door open before the rules are ready. */
const listenAfterMs = 1_000;

async function main(): Promise<void> {
  const settings = readApiSettings(process.env);
  const logger = pino({ level: settings.logLevel, base: { app: 'api' }, timestamp: pino.stdTimeFunctions.isoTime });
  const tracer = await tracerOf(settings, logger);
  const database = new Database({
    url: settings.databaseUrl,
    poolMax: settings.databasePoolMax,
    applicationName: 'unionlink-api',
    watch: tracer?.watch,
  });
  const sealer = new Sealer(settings.secretsKey, settings.secretsKeyPrevious);
  const metrics = new Metrics();
  const rules = new AwaitedSettings(settings);
  const stopping = new AbortController();
  const app = await createApi(
    settings,
    logger,
    metrics,
    {
      tally: metrics,
      wechat: { baseUrl: settings.wechatBaseUrl, onCall: (report) => reported(report, metrics, tracer) },
      database,
      sealer,
      operatorKey: settings.operatorApiKey,
      settings: rules,
    },
    tracer,
  );
  const stop = (signal: string): void => {
    logger.info({ signal }, 'stopping');
    stopping.abort();
    setTimeout(() => {
      logger.error('what was running did not end in time');
      process.exit(1);
    }, stopWithinMs).unref();
    app
      .close()
      .then(() => Promise.all([database.close(), tracer?.close()]))
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

/** Loaded where it is asked for: nobody else pays for it. */
async function tracerOf({ otlpEndpoint, ...settings }: ApiSettings, logger: Logger): Promise<Tracer | null> {
  if (otlpEndpoint === null) return null;
  const { Tracer } = await import('#tracing');
  return new Tracer({ otlpEndpoint, ...settings }, 'unionlink-api', (reason, dropped) =>
    logger.warn({ reason, dropped }, 'spans could not be sent, and are dropped'),
  );
}

function reported(report: CallReport, metrics: Metrics, tracer: Tracer | null): void {
  metrics.wechatCall(report);
  tracer?.record(`WeChat ${report.endpoint}`, 'client', report.durationMs, {
    hasFailed: report.errcode !== 0,
    attributes: { 'wechat.errcode': report.errcode ?? 'none' },
  });
}

main().catch((error: unknown) => {
  const message =
    error instanceof SettingRefused ? error.message : error instanceof Error ? error.stack : String(error);
  process.stderr.write(`${message}\n`);
  process.exit(1);
});
