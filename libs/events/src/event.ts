import type { Cause, DataByType, UserState } from './from-schemas/data.js';

/** Steps of a user: topic identity.user-events.v1. */
export const userEventTypes = [
  'identity.UserLinked.v1',
  'identity.UserKeyed.v1',
  'identity.UserMerged.v1',
  'identity.UserRedirected.v1',
  'identity.MergeReverted.v1',
  'identity.UserRestored.v1',
  'identity.UserSplit.v1',
  'identity.UserUnlinked.v1',
  'identity.UserRekeyed.v1',
  'identity.IdentityRekeyed.v1',
  'identity.UserErased.v1',
] as const satisfies readonly (keyof DataByType)[];

/** Things that change no user: topic identity.notices.v1. */
export const noticeTypes = [
  'identity.ConflictOpened.v1',
  'identity.ConflictResolved.v1',
  'identity.MergeProposed.v1',
  'identity.AcknowledgementOverdue.v1',
  'identity.SubscriptionChanged.v1',
  'identity.ConsentRevoked.v1',
  'identity.ProfileCleared.v1',
  'identity.AccountCancelled.v1',
  'identity.AppBindingSuspected.v1',
] as const satisfies readonly (keyof DataByType)[];

export const eventTypes = [...userEventTypes, ...noticeTypes] as const;

/** The type of the records on identity.user-states.v1; their data is a UserState. */
export const userStateType = 'identity.UserState.v1';

export type UserEventType = (typeof userEventTypes)[number];
export type NoticeType = (typeof noticeTypes)[number];
export type EventType = UserEventType | NoticeType;

/** What every step of a user carries, whatever happened. */
export interface CommonUserEventData {
  readonly userId: string;
  readonly version: number;
  readonly occurredAt: string;
  readonly cause: Cause;
  readonly user: UserState;
}

export type UserEventData = DataByType[UserEventType];
export type NoticeData = DataByType[NoticeType];

/** An event with its CloudEvents attributes, however it travels. */
export interface Envelope<Type extends string = string, Data = unknown> {
  /** UUIDv7, the same in every redelivery. */
  readonly id: string;
  readonly entityId: string;
  readonly type: Type;
  /** RFC 3339, UTC, milliseconds. */
  readonly time: string;
  /** The userId; null where a notice is about nobody we know. */
  readonly subject: string | null;
  /** The Kafka key. */
  readonly key: string;
  /** The user's version; null for notices, which have none. */
  readonly version: number | null;
  /** Raised when the service was restored from a backup: compare (epoch, version). */
  readonly epoch: number;
  /** The id of the request that made it happen. */
  readonly causationId: string | null;
  readonly traceparent: string | null;
  readonly data: Data;
}

/** A step of a user; switch over `type` and `data` has its shape. */
export type UserEvent = { [Type in UserEventType]: Envelope<Type, DataByType[Type]> }[UserEventType];
export type Notice = { [Type in NoticeType]: Envelope<Type, DataByType[Type]> }[NoticeType];
export type UserStateRecord = Envelope<typeof userStateType, UserState>;

const userTypes: ReadonlySet<string> = new Set(userEventTypes);
const notices: ReadonlySet<string> = new Set(noticeTypes);

/** By its type only; a newer service may send types that are not known here, which are neither. */
export const isUserEvent = (event: Envelope): event is UserEvent => userTypes.has(event.type);
export const isNotice = (event: Envelope): event is Notice => notices.has(event.type);
