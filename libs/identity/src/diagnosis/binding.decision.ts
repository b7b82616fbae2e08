import type { BindingCounts } from '#store';

/** Few people say nothing about a whole app; the same number as in a diagnosis. */
const tellingMin = 3;
/**
 * So many people on each side and nobody in common. Where one in ten of an app's people uses a sibling too, thirty
 * without one happen by chance in 4 of 100 cases; ten in 35.
 */
const meetingMin = 30;
/** One changed unionId is somebody's mistake, several of a day are a move (WeChat facts 5.4). */
const changedMin = 3;

export type SuspectedCounts = Omit<BindingCounts, 'appId' | 'entityId' | 'openPlatformId'>;

export interface Suspicion {
  /** The code of its finding. */
  readonly finding: 'suspected_unbound' | 'union_ids_never_meet' | 'many_changed_union_ids' | 'foreign_open_ids';
  /** What was counted, in words. */
  readonly seen: string;
}

/**
 * What speaks against an app's declared binding, by counts alone: which person it was says nothing. Source: rows 1 to 4
 * and 18 of WeChat's table of causes (WeChat facts 1.5).
 */
export function suspectBinding(counts: SuspectedCounts): Suspicion[] {
  const suspicions: Suspicion[] = [];
  const { telling, withUnionId, siblingsWithUnionId, foreign } = counts;
  if (withUnionId === 0 && telling >= tellingMin)
    suspicions.push({ finding: 'suspected_unbound', seen: `none of ${telling} people came with a unionId` });
  if (!counts.meetsSiblings && withUnionId >= meetingMin && siblingsWithUnionId >= meetingMin)
    suspicions.push({
      finding: 'union_ids_never_meet',
      seen: `${withUnionId} people with a unionId, ${siblingsWithUnionId} in the other apps of the account, none in both`,
    });
  // What began as a wave stays one until it is decided.
  const changed = counts.announced.includes('many_changed_union_ids') ? counts.changed : counts.changedLately;
  if (changed >= changedMin)
    suspicions.push({ finding: 'many_changed_union_ids', seen: `${changed} people came with another unionId` });
  if (foreign >= tellingMin)
    suspicions.push({ finding: 'foreign_open_ids', seen: `${foreign} openIds begin unlike the others of the app` });
  return suspicions;
}
