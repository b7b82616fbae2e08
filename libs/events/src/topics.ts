const day = 24 * 60 * 60 * 1000;

export interface Topic {
  /** Without KAFKA_TOPIC_PREFIX; see `topicName`. */
  readonly name: string;
  readonly cleanupPolicy: 'delete' | 'compact';
  /** Null: kept as compaction keeps it. */
  readonly retentionMs: number | null;
  /** 48 divides by 2, 3, 4, 6, 8, 12, 16 and 24. Never changed: a change of count is a new topic version. */
  readonly partitions: number;
  /** Seen from the identity service. */
  readonly direction: 'in' | 'out';
  readonly key: string;
  readonly description: string;
}

const topic = (
  name: string,
  direction: Topic['direction'],
  key: string,
  description: string,
  cleanupPolicy: Topic['cleanupPolicy'] = 'delete',
): Topic => ({
  name,
  cleanupPolicy,
  retentionMs: cleanupPolicy === 'compact' ? null : 30 * day,
  partitions: 48,
  direction,
  key,
  description,
});

export const topics = {
  userEvents: topic('identity.user-events.v1', 'out', 'userId', 'Every step of every user.'),
  userStates: topic(
    'identity.user-states.v1',
    'out',
    'userId',
    'The latest state of every user; reading it from the start is how a new sibling app boots.',
    'compact',
  ),
  notices: topic(
    'identity.notices.v1',
    'out',
    'userId, or appId:openId hashed where there is no user',
    'What changes no user: conflicts, subscriptions, consent, merge proposals.',
  ),
  acknowledgements: topic('identity.acknowledgements.v1', 'in', 'mergeId or erasureId', 'Participants answer here.'),
  observations: topic(
    'identity.observations.v1',
    'in',
    'appId:openId',
    'Trusted back ends hand observations over here instead of by REST.',
  ),
  deadLetters: topic(
    'identity.dead-letters.v1',
    'out',
    'as received',
    'What could not be read from the two inbound topics, with the reason.',
  ),
} as const satisfies Readonly<Record<string, Topic>>;

/** The name on the broker. */
export function topicName(prefix: string, { name }: Pick<Topic, 'name'>): string {
  return prefix + name;
}
