import { readSettings, SettingRefused, shared } from '../../libs/settings/src/index.js';
import { Database } from '../../libs/store/src/index.js';
import { Refusal } from '../machine.js';

/** The database of DATABASE_URL, for one command. Statements are short there: a command waits, the service does not. */
export async function withDatabase<T>(work: (database: Database) => Promise<T>): Promise<T> {
  const database = new Database({
    url: databaseUrl(),
    poolMax: 2,
    applicationName: 'unionlink-cli',
    statementTimeoutMs: 10_000,
  });
  try {
    return await work(database);
  } finally {
    await database.close();
  }
}

function databaseUrl(): string {
  try {
    return readSettings(process.env, { databaseUrl: shared.databaseUrl }).databaseUrl;
  } catch (error) {
    if (error instanceof SettingRefused) throw new Refusal(error.message);
    throw error;
  }
}
