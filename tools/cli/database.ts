import { readSettings, SettingRefused, shared } from '#settings';
import { Database } from '#store';
import { Refusal } from '../machine.js';

/** The database of DATABASE_URL, for one command. Statements are short there: a command waits, the service does not. */
export async function withDatabase<T>(
  work: (database: Database) => Promise<T>,
  options: { readonly isReadOnly?: boolean } = {},
): Promise<T> {
  const database = new Database({
    url: options.isReadOnly === true ? readOnly(databaseUrl()) : databaseUrl(),
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

/** PostgreSQL itself refuses whatever would write. */
function readOnly(url: string): string {
  const changed = new URL(url);
  changed.searchParams.append('options', '-c default_transaction_read_only=on');
  return changed.href;
}

function databaseUrl(): string {
  try {
    return readSettings(process.env, { databaseUrl: shared.databaseUrl }).databaseUrl;
  } catch (error) {
    if (error instanceof SettingRefused) throw new Refusal(error.message);
    throw error;
  }
}
