import { setTimeout as delay } from 'node:timers/promises';
import type { Database } from '#store';
import { isDataFault } from '#store';
import { readPepper } from './access/pepper.js';
import type { Sealer } from './access/sealer.js';
import { IdentitySettings } from './settings.js';

const retryMs = 1_000;

export interface Installation {
  readonly database: Database;
  readonly sealer: Sealer;
  readonly signal: AbortSignal;
  /** Once a second for as long as the database or its migrations are missing. */
  readonly onWait: (reason: string) => void;
}

/** What the rules need. The pepper is in the database, which may be away when a process starts: it is read before first use. */
export class AwaitedSettings extends IdentitySettings {
  readonly identitiesPerUserMax: number;
  readonly identitiesPerUserPerHourMax: number;
  readonly identitiesPerUserHardMax: number;
  readonly signingKeyRotateDays: number;
  private loaded: Buffer | null = null;

  /** Who signs nothing leaves the rotation out. */
  constructor(limits: {
    readonly identitiesPerUserMax: number;
    readonly identitiesPerUserPerHourMax: number;
    readonly identitiesPerUserHardMax: number;
    readonly signingKeyRotateDays?: number;
  }) {
    super();
    this.identitiesPerUserMax = limits.identitiesPerUserMax;
    this.identitiesPerUserPerHourMax = limits.identitiesPerUserPerHourMax;
    this.identitiesPerUserHardMax = limits.identitiesPerUserHardMax;
    this.signingKeyRotateDays = limits.signingKeyRotateDays ?? 0;
  }

  get isLoaded(): boolean {
    return this.loaded !== null;
  }

  get pepper(): Buffer {
    if (this.loaded === null) throw new Error('the pepper is read before anything needs it');
    return this.loaded;
  }

  /** Waits for the database and its migrations. Throws where SECRETS_KEY is not the one of this installation. */
  async load({ database, sealer, signal, onWait }: Installation): Promise<void> {
    while (this.loaded === null && !signal.aborted) {
      try {
        this.loaded = await readPepper(database, sealer);
      } catch (error) {
        if (isDataFault(error)) throw error;
        onWait(String(error));
        await delay(retryMs, undefined, { signal }).catch(() => undefined);
      }
    }
  }
}
