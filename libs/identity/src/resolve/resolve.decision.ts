/**
 * The resolve decision table (contract, "The resolve decision table"), as a total function. U is the live owner of the
 * identity, K the live user that the unionId leads to in the app's Open Platform account.
 */

export interface KnownKey {
  readonly openPlatformId: string;
  readonly unionId: string;
  /** WeChat replaced it: it still leads here, but is no longer one of the user's keys. */
  readonly retired: boolean;
}

export interface KnownUser {
  readonly id: string;
  readonly identities: readonly { readonly appId: string; readonly openId: string; readonly linkedAt: string }[];
  readonly unionKeys: readonly KnownKey[];
}

export interface ResolveFacts {
  readonly appId: string;
  /** The account that gives the observation's unionId its meaning; null: none, the unionId cannot be used (P8). */
  readonly openPlatformId: string | null;
  /** Null: none was given, or a placeholder (P9). */
  readonly unionId: string | null;
  /** Why a given unionId must not be used to link, though it is kept: a finding, not evidence. */
  readonly unusable: UnusableReason | null;
  readonly owner: KnownUser | null;
  readonly keyOwner: KnownUser | null;
  /** A human decided that U and K are two people (P6). */
  readonly separated: boolean;
  readonly identitiesPerUserMax: number;
  /** Null: K may gather identities as fast as they come. */
  readonly pace: Pace | null;
}

/** How fast evidence may bring identities to one user before a human has to look. */
export interface Pace {
  /** RFC 3339: what was linked from then on counts. */
  readonly since: string;
  readonly max: number;
  /** It was too fast before, and nobody has decided yet. */
  readonly isHeld: boolean;
}

export type UnusableReason = 'app_unbound' | 'former_binding' | 'weak_source';

export type ConflictKind =
  | 'different_union_id'
  | 'second_open_id'
  | 'separated'
  | 'too_many_identities'
  | 'different_union_ids_elsewhere'
  | 'binding';

export type ResolveDecision =
  | { readonly kind: 'create'; readonly withKey: boolean }
  | { readonly kind: 'create_in_conflict'; readonly conflict: ConflictKind; readonly isTooFast?: true }
  | { readonly kind: 'link' }
  | { readonly kind: 'unchanged' }
  | { readonly kind: 'attach_key' }
  | { readonly kind: 'merge' }
  | { readonly kind: 'conflict'; readonly conflict: ConflictKind; readonly isTooFast?: true };

export function decideResolve(facts: ResolveFacts): ResolveDecision {
  const { owner, keyOwner } = facts;
  const usable = facts.unionId !== null && facts.openPlatformId !== null && facts.unusable === null;
  if (owner === null) {
    if (!usable) return { kind: 'create', withKey: false };
    if (keyOwner === null) return { kind: 'create', withKey: true };
    if (hasOpenIdIn(keyOwner, facts.appId)) return { kind: 'create_in_conflict', conflict: 'second_open_id' };
    if (keyOwner.identities.length + 1 > facts.identitiesPerUserMax)
      return { kind: 'create_in_conflict', conflict: 'too_many_identities' };
    if (isTooFast(facts.pace, recent(facts.pace, keyOwner) + 1))
      return { kind: 'create_in_conflict', conflict: 'too_many_identities', isTooFast: true };
    return { kind: 'link' };
  }
  if (!usable) return { kind: 'unchanged' };
  if (keyOwner !== null && keyOwner.id === owner.id) return { kind: 'unchanged' };
  if (keyOwner !== null && facts.separated) return { kind: 'conflict', conflict: 'separated' };
  if (owner.unionKeys.some((key) => key.openPlatformId === facts.openPlatformId && !key.retired))
    return { kind: 'conflict', conflict: 'different_union_id' };
  if (keyOwner === null) return { kind: 'attach_key' };
  return decideJoin(facts, owner, keyOwner);
}

/** U has no key in this account and K owns it: they are one person unless something contradicts. */
function decideJoin(facts: ResolveFacts, owner: KnownUser, keyOwner: KnownUser): ResolveDecision {
  if (hasOpenIdIn(keyOwner, facts.appId)) return { kind: 'conflict', conflict: 'second_open_id' };
  if (differElsewhere(owner, keyOwner)) return { kind: 'conflict', conflict: 'different_union_ids_elsewhere' };
  if (owner.identities.length + keyOwner.identities.length > facts.identitiesPerUserMax)
    return { kind: 'conflict', conflict: 'too_many_identities' };
  if (isTooFast(facts.pace, recent(facts.pace, owner) + recent(facts.pace, keyOwner)))
    return { kind: 'conflict', conflict: 'too_many_identities', isTooFast: true };
  return { kind: 'merge' };
}

function recent(pace: Pace | null, user: KnownUser): number {
  return pace === null ? 0 : user.identities.filter(({ linkedAt }) => linkedAt >= pace.since).length;
}

function isTooFast(pace: Pace | null, identities: number): boolean {
  return pace !== null && (pace.isHeld || identities > pace.max);
}

function hasOpenIdIn(user: KnownUser, appId: string): boolean {
  return user.identities.some((identity) => identity.appId === appId);
}

/** Both hold live keys of one Open Platform account and share none there (P4). */
export function differElsewhere(a: KnownUser, b: KnownUser): boolean {
  return differingAccounts(a, b).length > 0;
}

/** The Open Platform accounts in which the two hold different unionIds. */
export function differingAccounts(a: KnownUser, b: KnownUser): string[] {
  const accounts = new Set(a.unionKeys.filter((key) => !key.retired).map((key) => key.openPlatformId));
  return [...accounts].filter((account) => {
    const theirs = b.unionKeys.filter((key) => key.openPlatformId === account && !key.retired);
    const ours = a.unionKeys.filter((key) => key.openPlatformId === account && !key.retired);
    return theirs.length > 0 && !ours.some((key) => theirs.some((other) => other.unionId === key.unionId));
  });
}

export interface WarmFacts {
  readonly unionId: string | null;
  readonly unusable: UnusableReason | null;
  readonly openPlatformId: string | null;
  readonly ownerId: string | null;
  readonly keyOwnerId: string | null;
  /** The unionId already kept as a finding on the identity. */
  readonly pendingUnionId: string | null;
}

/** True where the observation says nothing new: answered from one read, nothing locked, nothing written. */
export function isSettled(facts: WarmFacts): boolean {
  if (facts.ownerId === null) return false;
  if (facts.unionId === null) return true;
  if (facts.openPlatformId === null || facts.unusable !== null) return facts.pendingUnionId === facts.unionId;
  return facts.keyOwnerId === facts.ownerId;
}

/** The likely cause of a conflict in words, for whoever has to decide it. Source: facts on WeChat, table 1.5. */
export const likelyCauses: Readonly<Record<ConflictKind, string>> = {
  different_union_id:
    'The app was moved to another Open Platform account (then declare the new binding in the registry), or the observation was sent under the wrong appId, or two people share one device.',
  second_open_id:
    'A real unionId has exactly one openId per app: a snapshot user of web authorisation, an openId sent under the wrong appId, or an app whose Open Platform binding is being moved.',
  separated: 'A person decided earlier that these two users are not the same; the evidence says otherwise.',
  too_many_identities:
    'One unionId attracts more identities than one person plausibly has: a test account, or a fixed unionId in a back end.',
  different_union_ids_elsewhere:
    'The two users hold different unionIds of another Open Platform account: two people on one device, or one app under the wrong account in the registry.',
  binding: 'The unionId fits another Open Platform account than the one the registry names for this app.',
};

/** Where it is not their number but their pace: the same kind, held until it is decided. */
export const tooFastCause =
  'One unionId attracted more identities within an hour than one person plausibly gathers: a fixed unionId in a back end, a test account, or a script. Nothing more joins its user by itself until this is decided.';
