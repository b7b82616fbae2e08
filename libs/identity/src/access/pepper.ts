import { randomBytes } from 'node:crypto';
import type { Database } from '#store';
import type { Sealer } from './sealer.js';

const place = 'installation:pepper';

/**
 * The key of the fingerprints of departed identities: made once per installation and sealed, so that SECRETS_KEY can be
 * rotated without forgetting who was erased. Throws where it was sealed with another SECRETS_KEY: a wrong key is found at
 * start, not at the first erasure.
 */
export async function readPepper(database: Database, sealer: Sealer): Promise<Buffer> {
  const sealed = sealer.seal(randomBytes(32), place);
  await database.query({
    text: 'UPDATE installation SET pepper = $1 WHERE pepper IS NULL',
    values: [sealed],
  });
  const [row] = await database.query<{ pepper: Buffer }>({ text: 'SELECT pepper FROM installation' });
  if (row === undefined) throw new Error('the installation row is missing: run the migrations');
  return sealer.open(row.pepper, place);
}
