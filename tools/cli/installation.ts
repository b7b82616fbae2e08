import { Sealer } from '#identity';
import { optionalSecretsKey, readSettings, secretsKey, SettingRefused, shared } from '#settings';
import { Database } from '#store';
import { Refusal } from '../machine.js';

/** What commands that work on the database directly need, from the same environment as the processes. */
export interface Installation {
  readonly database: Database;
  readonly sealer: Sealer;
}

/** As the audit of what admins do names it. */
export const commandLine = { actor: 'command line', requestId: null };

export async function withInstallation<T>(work: (installation: Installation) => Promise<T>): Promise<T> {
  const settings = readInstallationSettings();
  const database = new Database({ url: settings.databaseUrl, poolMax: 2, applicationName: 'unionlink-cli' });
  try {
    return await work({ database, sealer: new Sealer(settings.secretsKey, settings.secretsKeyPrevious) });
  } finally {
    await database.close();
  }
}

function readInstallationSettings() {
  try {
    return readSettings(process.env, {
      databaseUrl: shared.databaseUrl,
      secretsKey: secretsKey('SECRETS_KEY'),
      secretsKeyPrevious: optionalSecretsKey('SECRETS_KEY_PREVIOUS'),
    });
  } catch (error) {
    throw error instanceof SettingRefused ? new Refusal(error.message) : error;
  }
}
