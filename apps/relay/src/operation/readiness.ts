import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Injectable } from '@nestjs/common';
import { root } from '#settings';
import { appliedMigrations, Database } from '#store';
import { Relay } from '../publish/relay.js';

const migrationsFolder = join(root, 'prisma', 'migrations');
const answerWithinMs = 2_000;

/** Ready: the database answers, its migrations are those this code was built with, and the topics have been there. */
@Injectable()
export class Readiness {
  private hasMatched = false;

  constructor(
    private readonly database: Database,
    private readonly relay: Relay,
  ) {}

  /** Null: ready; else why not. */
  async whyNot(): Promise<string | null> {
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
    if (!this.hasMatched) {
      const missing = await this.missingMigrations();
      if (missing.length > 0) return `migrations are missing: ${missing.join(', ')}; run npm run migrate`;
      this.hasMatched = true;
    }
    await this.database.query({ name: 'ready', text: 'SELECT 1' });
    return this.relay.hasStarted ? null : 'the topics are not prepared yet';
  }

  private async missingMigrations(): Promise<string[]> {
    const known = (await readdir(migrationsFolder, { withFileTypes: true })).filter((entry) => entry.isDirectory());
    const applied = new Set(await appliedMigrations(this.database));
    return known.filter(({ name }) => !applied.has(name)).map(({ name }) => name);
  }
}
