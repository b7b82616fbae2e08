import 'reflect-metadata';
import type { INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { AwaitedSettings, IdentityModule, Sealer } from '#identity';
import { readSettings, rules, SettingRefused, shared } from '#settings';
import { Database } from '#store';
import { Refusal } from '../machine.js';

/** Everything that changes people, as the API has it, for one command; nothing runs in the background of it. */
export async function withRules<T>(work: (rules: INestApplicationContext) => Promise<T>): Promise<T> {
  const { databaseUrl, secretsKey, secretsKeyPrevious, wechatBaseUrl, ...limits } = readRulesSettings();
  const database = new Database({ url: databaseUrl, poolMax: 4, applicationName: 'unionlink-cli' });
  try {
    const sealer = new Sealer(secretsKey, secretsKeyPrevious);
    const settings = new AwaitedSettings(limits);
    await loaded(settings, database, sealer);
    const wechat = { baseUrl: wechatBaseUrl, onCall: () => undefined };
    const module = IdentityModule.register({ database, settings, sealer, operatorKey: null, wechat });
    const context = await NestFactory.createApplicationContext(module, { logger: false, abortOnError: false });
    try {
      return await work(context);
    } finally {
      await context.close();
    }
  } finally {
    await database.close();
  }
}

/** A process waits for its database; who typed a command would rather know. */
async function loaded(settings: AwaitedSettings, database: Database, sealer: Sealer): Promise<void> {
  const waiting = new AbortController();
  let why = '';
  const onWait = (reason: string): void => {
    why = reason;
    waiting.abort();
  };
  await settings.load({ database, sealer, signal: waiting.signal, onWait });
  if (!settings.isLoaded) throw new Refusal(`the database cannot be asked: ${why}`);
}

function readRulesSettings() {
  try {
    return readSettings(process.env, {
      ...rules,
      databaseUrl: shared.databaseUrl,
      wechatBaseUrl: shared.wechatBaseUrl,
    });
  } catch (error) {
    throw error instanceof SettingRefused ? new Refusal(error.message) : error;
  }
}
