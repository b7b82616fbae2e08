import { Injectable } from '@nestjs/common';
import type { ConsentView, IgnoredAnswerView } from '#store';
import { Database, readConsents, readIgnored } from '#store';
import { isUserId } from '../lookup/users.js';
import type { AcknowledgementView } from '../participant/participants.js';
import { Participants } from '../participant/participants.js';
import { Refusal } from '../problem.js';

export type MergeStatus = 'pending_consent' | 'pending_approval' | 'merged' | 'reverted' | 'rejected' | 'stale';

export interface MergeListed {
  readonly id: string;
  readonly entityId: string;
  readonly sourceUserId: string;
  readonly targetUserId: string;
  readonly status: MergeStatus;
  readonly automatic: boolean;
  readonly reason: string | null;
  readonly requestedBy: string;
  readonly decidedBy: string | null;
  readonly allowDifferent: boolean;
  readonly evidence: object | null;
  readonly movedIdentities: readonly { readonly appId: string; readonly openId: string; readonly linkedAt: string }[];
  readonly movedUnionIds: readonly { readonly openPlatformId: string; readonly unionId: string }[];
  readonly sourceVersion: number | null;
  readonly targetVersion: number | null;
  readonly requestedAt: Date;
  readonly mergedAt: Date | null;
  readonly revertedAt: Date | null;
  readonly revertReason: string | null;
  readonly revertedBy: string | null;
}

export interface MergeView extends MergeListed {
  readonly needsApproval: boolean;
  readonly approvedBy: string | null;
  /** Why it was rejected or is stale. */
  readonly decisionReason: string | null;
  readonly consents: readonly ConsentView[];
  /** Answers to the question for consent that changed nothing, at most 200. */
  readonly ignoredAnswers: readonly IgnoredAnswerView[];
  readonly acknowledgements: readonly AcknowledgementView[];
  /** One of them is missing past its time. */
  readonly overdue: boolean;
}

/** Merges as they are looked up: state, parties, what moved, who, why, who was asked and what came back. */
@Injectable()
export class MergeViews {
  constructor(
    private readonly database: Database,
    private readonly participants: Participants,
  ) {}

  async list(
    filter: { entityId: string | null; status?: string | undefined; userId?: string | undefined },
    page: { after: string | null; limit: number },
  ): Promise<MergeListed[]> {
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

  async get(id: string, entityId: string | null): Promise<MergeView> {
    const row = isUserId(id)
      ? await this.database.prisma.merge.findFirst({ where: { id, ...(entityId === null ? {} : { entityId }) } })
      : null;
    if (row === null) throw new Refusal('merge_not_found', 'no such merge');
    const [mergeCase, consents, ignoredAnswers, acknowledgements] = await Promise.all([
      this.database.prisma.mergeCase.findUnique({ where: { mergeId: id } }),
      readConsents(this.database, id),
      readIgnored(this.database, id),
      this.participants.of(id),
    ]);
    return {
      ...view(row),
      needsApproval: mergeCase?.needsApproval ?? row.status === 'pending_approval',
      approvedBy: mergeCase?.approvedBy ?? null,
      decisionReason: mergeCase?.decisionReason ?? null,
      consents,
      ignoredAnswers,
      acknowledgements,
      overdue: acknowledgements.some(({ overdue }) => overdue),
    };
  }
}

type Row = NonNullable<Awaited<ReturnType<Database['prisma']['merge']['findFirst']>>>;

function view(row: Row): MergeListed {
  const { sourceVersion, targetVersion, sourceCreatedAt: _source, targetCreatedAt: _target, ...rest } = row;
  // The shape of the json columns and of the status is what libs/identity wrote.
  const shown = { ...rest, sourceVersion: asNumber(sourceVersion), targetVersion: asNumber(targetVersion) };
  return shown as unknown as MergeListed;
}

function asNumber(version: bigint | null): number | null {
  return version === null ? null : Number(version);
}
