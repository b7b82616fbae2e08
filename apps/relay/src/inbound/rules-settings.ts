import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Sealer } from '#identity';
import { IdentitySettings, readPepper } from '#identity';
import type { Database } from '#store';
import { isDataFault } from '#store';

const retryMs = 1_000;

/** What the rules need. The pepper is in the database, which may be away when the relay starts: it is read before first use. */
export class RulesSettings extends IdentitySettings {
  readonly identitiesPerUserMax: number;
  readonly identitiesPerUserHardMax: number;
  /** Nothing is signed here. */
  readonly signingKeyRotateDays = 0;
  private loaded: Buffer | null = null;

  constructor(limits: { readonly identitiesPerUserMax: number; readonly identitiesPerUserHardMax: number }) {
    super();
    this.identitiesPerUserMax = limits.identitiesPerUserMax;
    this.identitiesPerUserHardMax = limits.identitiesPerUserHardMax;
  }

  get pepper(): Buffer {
    if (this.loaded === null) throw new Error('the pepper is read before anything needs it');
    return this.loaded;
  }

  /** Waits for the database and its migrations. Throws where SECRETS_KEY is not the one of this installation. */
  async load(database: Database, sealer: Sealer, logger: Logger, signal: AbortSignal): Promise<void> {
    while (this.loaded === null && !signal.aborted) {
      try {
        this.loaded = await readPepper(database, sealer);
      } catch (error) {
        if (isDataFault(error)) throw error;
        logger.warn({ reason: String(error) }, 'the database cannot be asked yet; inbound topics wait for it');
        await delay(retryMs, undefined, { signal }).catch(() => undefined);
      }
    }
  }
}
