import { Injectable } from '@nestjs/common';
import { Database } from '#store';
import { Refusal } from '../problem.js';
import { isUserId } from '../lookup/users.js';

export interface ConflictView {
  readonly id: string;
  readonly kind: string;
  readonly status: string;
  readonly count: number;
  readonly firstSeenAt: Date;
  readonly lastSeenAt: Date;
  readonly userIds: readonly string[];
  readonly appId: string;
  readonly openId: string;
  readonly unionId: string;
  readonly openPlatformId: string;
  readonly likelyCause: string;
  /** What was seen when it opened. */
  readonly evidence: readonly object[];
  readonly decision: string | null;
  readonly decidedBy: string | null;
  readonly decidedAt: Date | null;
  readonly reason: string | null;
}

/** The review queue: evidence that contradicts what is held. */
@Injectable()
export class Conflicts {
  constructor(private readonly database: Database) {}

  async list(
    filter: { readonly entityId: string | null; readonly status?: 'open' | 'resolved' | undefined },
    page: { readonly after: string | null; readonly limit: number },
  ): Promise<ConflictView[]> {
    const rows = await this.database.prisma.conflict.findMany({
      where: {
        ...(filter.entityId === null ? {} : { entityId: filter.entityId }),
        ...(filter.status === undefined ? {} : { status: filter.status }),
        ...(page.after === null ? {} : { id: { gt: page.after } }),
      },
      orderBy: { id: 'asc' },
      take: page.limit,
    });
    return rows.map(view);
  }

  async get(id: string, entityId: string | null): Promise<ConflictView> {
    const row = isUserId(id)
      ? await this.database.prisma.conflict.findFirst({ where: { id, ...(entityId === null ? {} : { entityId }) } })
      : null;
    if (row === null) throw new Refusal('conflict_not_found', 'no such conflict');
    return view(row);
  }

  /** Of all entities. */
  countOpen(): Promise<number> {
    return this.database.prisma.conflict.count({ where: { status: 'open' } });
  }

  async entityOf(id: string): Promise<string> {
    const row = await this.database.prisma.conflict.findUniqueOrThrow({ where: { id } });
    return row.entityId;
  }
}

type Row = NonNullable<Awaited<ReturnType<Database['prisma']['conflict']['findFirst']>>>;

function view({ entityId: _entityId, count, ...row }: Row): ConflictView {
  return { ...row, count: Number(count), evidence: Array.isArray(row.evidence) ? row.evidence.filter(isObject) : [] };
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
