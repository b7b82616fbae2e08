import { Injectable } from '@nestjs/common';
import { Database } from '#store';
import { isUserId } from '../lookup/users.js';
import { Participants } from '../participant/participants.js';
import { Refusal } from '../problem.js';

/** Merges as they are looked up: state, parties, what moved, who, why, acknowledgements. */
@Injectable()
export class MergeViews {
  constructor(
    private readonly database: Database,
    private readonly participants: Participants,
  ) {}

  async list(
    filter: { entityId: string | null; status?: string | undefined; userId?: string | undefined },
    page: { after: string | null; limit: number },
  ): Promise<(object & { id: string })[]> {
    const { entityId, status, userId } = filter;
    const rows = await this.database.prisma.merge.findMany({
      where: {
        ...(entityId === null ? {} : { entityId }),
        ...(status === undefined ? {} : { status }),
        ...(userId === undefined ? {} : { OR: [{ sourceUserId: userId }, { targetUserId: userId }] }),
        ...(page.after === null ? {} : { id: { gt: page.after } }),
      },
      orderBy: { id: 'asc' },
      take: page.limit,
    });
    return rows.map(view);
  }

  async get(id: string, entityId: string | null): Promise<object> {
    const row = isUserId(id)
      ? await this.database.prisma.merge.findFirst({ where: { id, ...(entityId === null ? {} : { entityId }) } })
      : null;
    if (row === null) throw new Refusal('merge_not_found', 'no such merge');
    return { ...view(row), acknowledgements: await this.participants.of(id) };
  }
}

type Row = NonNullable<Awaited<ReturnType<Database['prisma']['merge']['findFirst']>>>;

function view(row: Row): { id: string; [field: string]: unknown } {
  const { sourceVersion, targetVersion, sourceCreatedAt: _source, targetCreatedAt: _target, ...rest } = row;
  return { ...rest, sourceVersion: asNumber(sourceVersion), targetVersion: asNumber(targetVersion) };
}

function asNumber(version: bigint | null): number | null {
  return version === null ? null : Number(version);
}
