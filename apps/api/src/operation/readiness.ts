import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Injectable } from '@nestjs/common';
import { AwaitedSettings } from '#identity';
import { root } from '#settings';
import { appliedMigrations, Database } from '#store';
import { Draining } from './draining.js';

const migrationsFolder = join(root, 'prisma', 'migrations');
const answerWithinMs = 2_000;

/** Ready: it is not stopping, the database answers, and every migration this code was built with is applied. */
@Injectable()
export class Readiness {
  private matched = false;

  constructor(
    private readonly database: Database,
    private readonly draining: Draining,
    private readonly rules: AwaitedSettings,
  ) {}

  /** Null: ready; else why not. */
  async whyNot(): Promise<string | null> {
    if (this.draining.isStopping) return 'it is stopping';
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<string>((resolve) => {
      timer = setTimeout(() => resolve('the database does not answer'), answerWithinMs);
    });
    try {
      return await Promise.race([this.check(), late]);
    } catch {
      return 'the database cannot be asked';
    } finally {
      clearTimeout(timer);
    }
  }

  private async check(): Promise<string | null> {
    if (this.matched) {
      await this.database.query({ name: 'ready', text: 'SELECT 1' });
      return null;
    }
    const known = (await readdir(migrationsFolder, { withFileTypes: true })).filter((entry) => entry.isDirectory());
    const applied = new Set(await appliedMigrations(this.database));
    const missing = known.filter(({ name }) => !applied.has(name)).map(({ name }) => name);
    if (missing.length > 0) return `migrations are missing: ${missing.join(', ')}; run npm run migrate`;
    if (!this.rules.isLoaded) return 'it is starting';
    await this.database.loadPrisma();
    this.matched = true;
    return null;
  }
}
