import { Injectable } from '@nestjs/common';
import { Database } from '#store';
import { Resolver } from '../resolve/resolver.js';

const pageSize = 500;

interface PendingRow {
  app_id: string;
  open_id: string;
  pending_union_id: string;
  pending_observed_at: Date | null;
  source: string;
}

/**
 * After a declared binding change: what was kept as a finding is resolved once more under the new binding (P8), without
 * waiting for a login. The mark on the app is the queue, so a review that was cut off starts again.
 */
@Injectable()
export class AppReview {
  constructor(
    private readonly database: Database,
    private readonly resolver: Resolver,
  ) {}

  /** Reviews every marked app. Answers how many identities were looked at. Safe on any number of replicas. */
  async run(): Promise<number> {
    const apps = await this.database.query<{ id: string; updated_at: Date; entity_id: string }>({
      name: 'apps-to-review',
      text: 'SELECT id, updated_at, entity_id FROM app WHERE review_pending ORDER BY id LIMIT 10',
    });
    let reviewed = 0;
    for (const app of apps) {
      reviewed += await this.review(app.id, app.entity_id);
      // Changed again meanwhile: the mark stays and the next round looks again.
      await this.database.query({
        text: 'UPDATE app SET review_pending = false WHERE id = $1 AND updated_at = $2',
        values: [app.id, app.updated_at],
      });
    }
    return reviewed;
  }

  private async review(appId: string, entityId: string): Promise<number> {
    let after = '';
    let reviewed = 0;
    for (;;) {
      const rows = await this.database.query<PendingRow>({
        text: `SELECT app_id, open_id, pending_union_id, pending_observed_at, source FROM identity
          WHERE app_id = $1 AND open_id > $2 AND pending_union_id IS NOT NULL
            AND pending_reason <> 'weak_source' ORDER BY open_id LIMIT ${pageSize}`,
        values: [appId, after],
      });
      if (rows.length === 0) return reviewed;
      await this.resolver.resolve(
        rows.map((row) => ({
          appId: row.app_id,
          openId: row.open_id,
          unionId: row.pending_union_id,
          source: 'binding_review',
          observedAt: null,
        })),
        {
          entityId,
          cause: 'automatic',
          actor: 'service',
          requestId: null,
          traceparent: null,
          reason: 'the registry now names the Open Platform account of this app',
        },
      );
      reviewed += rows.length;
      after = rows.at(-1)?.open_id ?? '';
    }
  }
}
