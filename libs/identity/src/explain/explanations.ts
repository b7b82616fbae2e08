import { Injectable } from '@nestjs/common';
import type { HeldRow, HistoryRow, StandingRow, Traced } from '#store';
import { Database, readFormerNames, readHeld, readIdentities, readRetiredIdentities, readStanding } from '#store';
import { Fingerprints } from '../access/fingerprints.js';
import type { Language } from '../diagnosis/findings.js';
import { Refusal } from '../problem.js';
import type { IdentityRef } from '../split/splits.js';

export interface ExplanationStep {
  readonly at: string;
  readonly action: string;
  /** Where the evidence came from: `code2session`, `operator`, … */
  readonly source: string;
  readonly detail: string;
}

export interface Explanation {
  readonly samePerson: boolean;
  readonly summary: string;
  /** Oldest first. */
  readonly chain: readonly ExplanationStep[];
}

/** A chain longer than this is cut to its newest steps. */
const stepsMax = 500;

interface Owned extends IdentityRef {
  readonly userId: string;
}

/** Are these one person, and why or why not: told from the journal, so it cannot differ from what happened. */
@Injectable()
export class Explanations {
  constructor(
    private readonly database: Database,
    private readonly fingerprints: Fingerprints,
  ) {}

  async explain(a: IdentityRef, b: IdentityRef, entityId: string | null, language: Language): Promise<Explanation> {
    const both = await this.owned([a, b], entityId);
    const owners = [...new Set(both.map(({ userId }) => userId))];
    const standing = await readStanding(this.database, owners, both);
    const apart = new Set(standing.flatMap(({ between }) => between ?? []));
    const held = await readHeld(this.database, await this.traced(both), stepsMax);
    const past = held.filter((row) => concerns(row, apart));
    const chain = [
      ...past.toReversed().map((row) => step(row, language)),
      ...standing.map((row) => standingStep(row, language)),
    ];
    const isDecided = standing.some(({ kind }) => kind === 'separation');
    const samePerson = owners.length === 1;
    return { samePerson, summary: summaryOf(samePerson, isDecided, owners, language), chain: chain.toSorted(byTime) };
  }

  /** Every name they have had. */
  private async traced(refs: readonly IdentityRef[]): Promise<Traced[]> {
    const former = await readFormerNames(this.database, refs);
    return refs.flatMap((ref, place) => {
      const earlier = former.filter((one) => one.byAppId === ref.appId && one.byOpenId === ref.openId);
      return [ref, ...earlier].map(({ appId, openId }) => {
        return { appId, openId, place, fingerprint: this.fingerprints.of(appId, openId) };
      });
    });
  }

  /** Each once, under the openId it has now. */
  private async owned(refs: readonly IdentityRef[], entityId: string | null): Promise<Owned[]> {
    const [live, retired] = await Promise.all([
      readIdentities(this.database, refs, entityId),
      readRetiredIdentities(this.database, refs, entityId),
    ]);
    const owned = refs.map((ref): Owned => {
      const isAsked = ({ appId, openId }: IdentityRef): boolean => appId === ref.appId && openId === ref.openId;
      const found = live.find(isAsked);
      if (found !== undefined) return { ...ref, userId: found.userId };
      const replaced = retired.find(isAsked);
      if (replaced === undefined) throw new Refusal('identity_not_found', `${ref.appId}:${ref.openId} is not known`);
      return { appId: replaced.byAppId, openId: replaced.byOpenId, userId: replaced.userId };
    });
    return [...new Map(owned.map((one) => [`${one.appId}:${one.openId}`, one])).values()];
  }
}

const byKeys = /^identity\.(UserKeyed|UserRekeyed|IdentityRekeyed)\./;

/**
 * Moves of the two, the keys of whoever held them, and merges that brought a decision to keep them `apart`. What else
 * happened to the same people explains nothing of these two.
 */
function concerns(row: HeldRow, apart: ReadonlySet<string>): boolean {
  if (row.type.startsWith('identity.UserRedirected.')) return false;
  const { movedUnionIds, sourceUserId } = dataOf(row);
  const isMoved = row.held_before.join() !== row.held_after.join();
  return isMoved || byKeys.test(row.type) || (movedUnionIds ?? []).length > 0 || apart.has(sourceUserId ?? '');
}

interface StepData {
  readonly identity?: IdentityRef;
  readonly movedUnionIds?: readonly object[];
  readonly unionId?: string;
  readonly openPlatformId?: string;
  readonly sourceUserId?: string;
  readonly newUserId?: string;
  readonly previousUserId?: string | null;
  readonly created?: boolean;
  readonly automatic?: boolean;
}

function dataOf(row: HistoryRow): StepData {
  return row.data as StepData;
}

function step(row: HistoryRow, language: Language): ExplanationStep {
  const evidence: unknown = row.evidence;
  const source =
    typeof evidence === 'object' && evidence !== null && 'source' in evidence ? String(evidence.source) : row.actor;
  const action = row.type.replace(/^identity\.(\w+)\.v\d+$/, '$1');
  const words = sentences[language][action]?.(dataOf(row), row.user_id) ?? action;
  const because = row.reason === null ? '' : language === 'zh' ? `（${row.reason}）` : ` (${row.reason})`;
  return { at: row.recorded_at.toISOString(), action, source, detail: `${words}${because}` };
}

function standingStep(
  { kind, at, actor, reason, between, conflict, count, cause }: StandingRow,
  language: Language,
): ExplanationStep {
  const isZh = language === 'zh';
  const [one, other] = between ?? [];
  const kept = isZh ? `已决定用户 ${one} 与用户 ${other} 分开` : `a decision keeps users ${one} and ${other} apart`;
  const open = isZh
    ? `未决冲突 ${conflict}，出现 ${count} 次，可能的原因：${cause}`
    : `a conflict is open: ${conflict}, seen ${count} times, likely cause: ${cause}`;
  const because = reason === null ? '' : isZh ? `（${reason}）` : ` (${reason})`;
  return kind === 'separation'
    ? { at: at.toISOString(), action: 'Separated', source: actor, detail: `${kept}${because}` }
    : { at: at.toISOString(), action: 'ConflictOpened', source: actor, detail: open };
}

/** ISO texts in UTC, which sort as their moments do. */
const byTime = (one: ExplanationStep, other: ExplanationStep): number =>
  one.at < other.at ? -1 : Number(one.at > other.at);

const named = (ref: IdentityRef | undefined): string => (ref === undefined ? '' : `${ref.appId}:${ref.openId}`);

type Sentence = (data: StepData, userId: string) => string;
const sentences: Readonly<Record<Language, Readonly<Record<string, Sentence>>>> = {
  en: {
    UserLinked: ({ identity, created }, user) =>
      created === true ? `${named(identity)} made user ${user}` : `${named(identity)} was linked to user ${user}`,
    UserKeyed: ({ unionId, openPlatformId }, user) => `unionId ${unionId} of ${openPlatformId} became user ${user}'s`,
    UserMerged: ({ sourceUserId, automatic }, user) =>
      `user ${sourceUserId} was folded into user ${user}${automatic === true ? ', by itself' : ', by hand'}`,
    MergeReverted: ({ sourceUserId }, user) => `the merge of user ${sourceUserId} into user ${user} was undone`,
    UserRestored: (_data, user) => `user ${user} is a user of its own again`,
    UserSplit: ({ newUserId }, user) => `identities left user ${user} for the new user ${newUserId}`,
    UserUnlinked: ({ identity }, user) => `${named(identity)} left user ${user}`,
    UserRekeyed: (_data, user) => `a unionId of user ${user} was replaced`,
    IdentityRekeyed: (_data, user) => `an openId of user ${user} was replaced`,
  },
  zh: {
    UserLinked: ({ identity, created }, user) =>
      created === true ? `${named(identity)} 建立了用户 ${user}` : `${named(identity)} 关联到用户 ${user}`,
    UserKeyed: ({ unionId, openPlatformId }, user) => `${openPlatformId} 下的 unionId ${unionId} 归用户 ${user}`,
    UserMerged: ({ sourceUserId, automatic }, user) =>
      `用户 ${sourceUserId} ${automatic === true ? '自动' : '由人工'}并入用户 ${user}`,
    MergeReverted: ({ sourceUserId }, user) => `用户 ${sourceUserId} 并入用户 ${user} 的合并已撤销`,
    UserRestored: (_data, user) => `用户 ${user} 恢复为独立用户`,
    UserSplit: ({ newUserId }, user) => `部分身份从用户 ${user} 拆分到新用户 ${newUserId}`,
    UserUnlinked: ({ identity }, user) => `${named(identity)} 离开用户 ${user}`,
    UserRekeyed: (_data, user) => `用户 ${user} 的一个 unionId 已更换`,
    IdentityRekeyed: (_data, user) => `用户 ${user} 的一个 openId 已更换`,
  },
};

function summaryOf(samePerson: boolean, isDecided: boolean, owners: readonly string[], language: Language): string {
  const [one, other] = owners;
  if (language === 'zh')
    return samePerson
      ? `是同一个人：都属于用户 ${one}。`
      : `不是同一个人${isDecided ? '（已决定分开）' : ''}：用户 ${one} 与用户 ${other}。`;
  return samePerson
    ? `One person: both belong to user ${one}.`
    : `Two people, ${isDecided ? 'by decision' : 'as far as is known'}: user ${one} and user ${other}.`;
}
