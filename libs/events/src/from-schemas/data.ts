// Written from libs/events/schemas by `node dist/libs/events/src/write.main.js`. Change the schema instead.

/** How a participant answers a merge, a revert, an erasure, or a request for consent. */
export interface Acknowledgement {
  readonly kind: 'merge' | 'revert' | 'erasure';
  /** The mergeId or erasureId. */
  readonly id: string;
  readonly participant: string;
  /** done or failed after the fact; accept or refuse in answer to MergeProposed. */
  readonly status: 'done' | 'failed' | 'accept' | 'refuse';
  /** Why it failed or was refused. */
  readonly detail?: string;
}

/** What made the change. */
export type Cause = 'login' | 'observation' | 'push' | 'import' | 'migration' | 'admin' | 'participant' | 'automatic';

/** A conflict as notices tell it; the evidence is at GET /v1/conflicts/{id}. */
export interface ConflictSummary {
  readonly id: string;
  readonly kind:
    | 'different_union_id'
    | 'second_open_id'
    | 'separated'
    | 'too_many_identities'
    | 'different_union_ids_elsewhere'
    | 'binding';
  /** Whom it is about. */
  readonly userIds: readonly string[];
  readonly appId: string | null;
  readonly openId: string | null;
  readonly unionId: string | null;
  readonly openPlatformId: string | null;
  readonly likelyCause: string | null;
}

/** A user whose personal data was destroyed; the id answers "erased" for ever. */
export interface ErasedUser {
  /** The userId. */
  readonly id: string;
  readonly status: 'erased';
  readonly version: number;
}

/** Names a person inside one app. The openId means nothing without its appId. */
export interface IdentityRef {
  readonly appId: string;
  /** Case-sensitive. */
  readonly openId: string;
}

/** A person cancelled their account with an app. */
export interface AccountCancelledData {
  /** The user it is about, where there is one. */
  readonly userId: string | null;
  readonly occurredAt: string;
  readonly cause: Cause;
  readonly appId: string;
  readonly openId: string;
}

/** A participant has not confirmed in time what it must; told once for each missing answer. */
export interface AcknowledgementOverdueData {
  /** The target of the merge, or the erased user. */
  readonly userId: string | null;
  readonly occurredAt: string;
  readonly cause: Cause;
  readonly kind: 'merge' | 'revert' | 'erasure';
  /** The mergeId or erasureId. */
  readonly id: string;
  /** Whose answer is missing. */
  readonly participant: string;
  /** Since when. */
  readonly overdueAt: string;
}

/** What arrives from an app does not fit the Open Platform account it is declared to be bound to. */
export interface AppBindingSuspectedData {
  /** The user it is about, where there is one. */
  readonly userId: string | null;
  readonly occurredAt: string;
  readonly cause: Cause;
  readonly appId: string;
  /** As declared. */
  readonly openPlatformId: string | null;
  /** Its code in the diagnosis of the app. */
  readonly finding: string;
  /** What was seen. */
  readonly detail: string;
}

/** Evidence contradicts what is held; a human decides. */
export interface ConflictOpenedData {
  /** The user it is about, where there is one. */
  readonly userId: string | null;
  readonly occurredAt: string;
  readonly cause: Cause;
  readonly conflict: ConflictSummary;
}

/** A conflict was decided or overtaken. */
export interface ConflictResolvedData {
  /** The user it is about, where there is one. */
  readonly userId: string | null;
  readonly occurredAt: string;
  readonly cause: Cause;
  readonly conflict: ConflictSummary;
  readonly decision: 'keep' | 'merge' | 'move_identity' | 'rekey' | 'separate' | 'overtaken';
}

/** A person took back what they had allowed an app. */
export interface ConsentRevokedData {
  /** The user it is about, where there is one. */
  readonly userId: string | null;
  readonly occurredAt: string;
  readonly cause: Cause;
  readonly appId: string;
  readonly openId: string;
  /** What was taken back, in WeChat's words. */
  readonly revoked: readonly string[];
}

/** An openId was replaced. */
export interface IdentityRekeyedData {
  /** On whose key this event is. */
  readonly userId: string;
  /** The user's version after this change. */
  readonly version: number;
  readonly occurredAt: string;
  readonly cause: Cause;
  /** The whole state of the user after this change. */
  readonly user: PresentUser;
  readonly from: IdentityRef;
  readonly to: IdentityRef;
}

/** Asks the participants that consent; silence until deadlineAt is a refusal. */
export interface MergeProposedData {
  /** The user it is about, where there is one. */
  readonly userId: string | null;
  readonly occurredAt: string;
  readonly cause: Cause;
  /** The merge. */
  readonly mergeId: string;
  readonly targetUserId: string;
  readonly sourceUserId: string;
  /** Who is asked. */
  readonly participants: readonly string[];
  readonly deadlineAt: string;
  readonly reason: string | null;
}

/** A merge was undone; on the key of its target. */
export interface MergeRevertedData {
  /** On whose key this event is. */
  readonly userId: string;
  /** The user's version after this change. */
  readonly version: number;
  readonly occurredAt: string;
  readonly cause: Cause;
  /** The whole state of the user after this change. */
  readonly user: PresentUser;
  /** The merge. */
  readonly mergeId: string;
  /** The user that is live again. */
  readonly sourceUserId: string;
  /** What went back to the source. */
  readonly returnedIdentities: readonly IdentityRef[];
  /** What went back to the source. */
  readonly returnedUnionIds: readonly UnionKey[];
}

/** WeChat asks to delete the profile data an app holds of a person. */
export interface ProfileClearedData {
  /** The user it is about, where there is one. */
  readonly userId: string | null;
  readonly occurredAt: string;
  readonly cause: Cause;
  readonly appId: string;
  readonly openId: string;
}

/** A person followed or left a service account. */
export interface SubscriptionChangedData {
  /** The user it is about, where there is one. */
  readonly userId: string | null;
  readonly occurredAt: string;
  readonly cause: Cause;
  readonly appId: string;
  readonly openId: string;
  readonly subscribed: boolean;
}

/** Personal data destroyed. */
export interface UserErasedData {
  /** On whose key this event is. */
  readonly userId: string;
  /** The user's version after this change. */
  readonly version: number;
  readonly occurredAt: string;
  readonly cause: Cause;
  /** The whole state of the user after this change. */
  readonly user: ErasedUser;
  /** The erasure. */
  readonly erasureId: string;
}

/** A unionId became this user's. */
export interface UserKeyedData {
  /** On whose key this event is. */
  readonly userId: string;
  /** The user's version after this change. */
  readonly version: number;
  readonly occurredAt: string;
  readonly cause: Cause;
  /** The whole state of the user after this change. */
  readonly user: PresentUser;
  readonly openPlatformId: string;
  readonly unionId: string;
}

/** An identity became this user's. */
export interface UserLinkedData {
  /** On whose key this event is. */
  readonly userId: string;
  /** The user's version after this change. */
  readonly version: number;
  readonly occurredAt: string;
  readonly cause: Cause;
  /** The whole state of the user after this change. */
  readonly user: PresentUser;
  readonly identity: IdentityRef;
  /** True when this link made the user. */
  readonly created: boolean;
  /** The user that had the identity before, if any. */
  readonly previousUserId: string | null;
}

/** Another user was folded into this one. */
export interface UserMergedData {
  /** On whose key this event is. */
  readonly userId: string;
  /** The user's version after this change. */
  readonly version: number;
  readonly occurredAt: string;
  readonly cause: Cause;
  /** The whole state of the user after this change. */
  readonly user: PresentUser;
  /** The merge. */
  readonly mergeId: string;
  /** The user that was folded in. */
  readonly sourceUserId: string;
  /** What the source brought. */
  readonly movedIdentities: readonly IdentityRef[];
  /** What the source brought. */
  readonly movedUnionIds: readonly UnionKey[];
  /** True when the unionId alone proved it (P1). */
  readonly automatic: boolean;
}

/** This id now answers with another user. Not a deletion. */
export interface UserRedirectedData {
  /** On whose key this event is. */
  readonly userId: string;
  /** The user's version after this change. */
  readonly version: number;
  readonly occurredAt: string;
  readonly cause: Cause;
  /** The whole state of the user after this change. */
  readonly user: PresentUser;
  /** The merge. */
  readonly mergeId: string;
  /** The user it was folded into. */
  readonly mergedInto: string;
}

/** A unionId was replaced. */
export interface UserRekeyedData {
  /** On whose key this event is. */
  readonly userId: string;
  /** The user's version after this change. */
  readonly version: number;
  readonly occurredAt: string;
  readonly cause: Cause;
  /** The whole state of the user after this change. */
  readonly user: PresentUser;
  readonly from: UnionKey;
  readonly to: UnionKey;
}

/** This id is a live user again. */
export interface UserRestoredData {
  /** On whose key this event is. */
  readonly userId: string;
  /** The user's version after this change. */
  readonly version: number;
  readonly occurredAt: string;
  readonly cause: Cause;
  /** The whole state of the user after this change. */
  readonly user: PresentUser;
  /** The merge. */
  readonly mergeId: string;
}

/** Identities left for a new user. */
export interface UserSplitData {
  /** On whose key this event is. */
  readonly userId: string;
  /** The user's version after this change. */
  readonly version: number;
  readonly occurredAt: string;
  readonly cause: Cause;
  /** The whole state of the user after this change. */
  readonly user: PresentUser;
  /** The user that has them now. */
  readonly newUserId: string;
  /** What left. */
  readonly identities: readonly IdentityRef[];
}

/** An identity left this user. */
export interface UserUnlinkedData {
  /** On whose key this event is. */
  readonly userId: string;
  /** The user's version after this change. */
  readonly version: number;
  readonly occurredAt: string;
  readonly cause: Cause;
  /** The whole state of the user after this change. */
  readonly user: PresentUser;
  readonly identity: IdentityRef;
}

/** An identity and since when its user has it. */
export interface LinkedIdentity {
  readonly appId: string;
  /** Case-sensitive. */
  readonly openId: string;
  readonly linkedAt: string;
}

/** What a trusted back end saw; the body of POST /v1/identities/resolve and the value of identity.observations.v1. */
export interface Observation {
  readonly appId: string;
  readonly openId: string;
  readonly unionId?: string | null;
  /** Default: trusted_backend. */
  readonly source?: string;
  /** Default: now. */
  readonly observedAt?: string;
  readonly isSnapshotUser?: boolean;
}

/** A user that is live, or merged away. Merged away is not a deletion: the id answers with another user; follow mergedInto until one that is live or erased. */
export interface PresentUser {
  /** The userId. */
  readonly id: string;
  /** The organisation whose apps share users. */
  readonly entityId: string;
  readonly status: 'live' | 'merged';
  /** Runs 1, 2, 3… without a gap. */
  readonly version: number;
  readonly createdAt: string;
  /** The user it was folded into; null while it is live. */
  readonly mergedInto: string | null;
  /** Empty when merged away: they moved. */
  readonly identities: readonly LinkedIdentity[];
  /** Empty when merged away: they moved. */
  readonly unionIds: readonly UnionKey[];
}

/** What is left in the HTTP feed of an event of a user who was erased later: ids, status and version. */
export interface ReducedEventData {
  readonly userId: string;
  readonly version: number;
  readonly user: {
    readonly id: string;
    readonly status: 'live' | 'merged' | 'erased';
    readonly version: number;
    readonly mergedInto?: string | null;
  };
}

/** A unionId together with the Open Platform account it belongs to: the same text under two accounts is two keys. */
export interface UnionKey {
  readonly openPlatformId: string;
  readonly unionId: string;
}

/** The whole state of one user after its latest change; the value of identity.user-states.v1. */
export type UserState = PresentUser | ErasedUser;

/** What an event of a type carries. */
export interface DataByType {
  readonly 'identity.AccountCancelled.v1': AccountCancelledData;
  readonly 'identity.AcknowledgementOverdue.v1': AcknowledgementOverdueData;
  readonly 'identity.AppBindingSuspected.v1': AppBindingSuspectedData;
  readonly 'identity.ConflictOpened.v1': ConflictOpenedData;
  readonly 'identity.ConflictResolved.v1': ConflictResolvedData;
  readonly 'identity.ConsentRevoked.v1': ConsentRevokedData;
  readonly 'identity.IdentityRekeyed.v1': IdentityRekeyedData;
  readonly 'identity.MergeProposed.v1': MergeProposedData;
  readonly 'identity.MergeReverted.v1': MergeRevertedData;
  readonly 'identity.ProfileCleared.v1': ProfileClearedData;
  readonly 'identity.SubscriptionChanged.v1': SubscriptionChangedData;
  readonly 'identity.UserErased.v1': UserErasedData;
  readonly 'identity.UserKeyed.v1': UserKeyedData;
  readonly 'identity.UserLinked.v1': UserLinkedData;
  readonly 'identity.UserMerged.v1': UserMergedData;
  readonly 'identity.UserRedirected.v1': UserRedirectedData;
  readonly 'identity.UserRekeyed.v1': UserRekeyedData;
  readonly 'identity.UserRestored.v1': UserRestoredData;
  readonly 'identity.UserSplit.v1': UserSplitData;
  readonly 'identity.UserUnlinked.v1': UserUnlinkedData;
}
