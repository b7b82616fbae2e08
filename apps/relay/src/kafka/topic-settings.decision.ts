export interface TopicSetting {
  readonly name: string;
  readonly value: string;
}

/** A setting as a broker tells it. */
export interface FoundSetting extends TopicSetting {
  /** Set for this topic, rather than what the broker gives to all. */
  readonly isOwn: boolean;
}

/** More than we need is whoever runs the broker's to choose; -1 is for ever. */
const atLeast = new Set(['max.message.bytes', 'delete.retention.ms', 'min.compaction.lag.ms', 'min.insync.replicas']);
/** What every consumer can read, too. */
const asGood: Readonly<Record<string, readonly string[]>> = { 'compression.type producer': ['gzip', 'uncompressed'] };
/** Refused before, where it is wrong. */
const policy = 'cleanup.policy';
/** How long events are kept may be shortened for a topic on purpose: that is told, and left. */
const retention = 'retention.ms';

export interface SettingsDecision {
  /** What the topic should have for its own, all of it, or null: it is as it should be. */
  readonly mended: readonly TopicSetting[] | null;
  /** Names of what is less than wanted and left. */
  readonly left: readonly string[];
}

/** What becomes of a topic that was there before: it keeps what others set, and gets what it lacks. */
export function decideSettings(wanted: readonly TopicSetting[], found: readonly FoundSetting[]): SettingsDecision {
  const byName = new Map(found.map((setting) => [setting.name, setting]));
  const lacking = wanted.filter((setting) => !isEnough(setting, byName.get(setting.name)?.value));
  const isChosen = (name: string): boolean => name === retention && byName.get(name)?.isOwn === true;
  const mended = lacking.filter(({ name }) => name !== policy && !isChosen(name));
  const names = new Set(mended.map(({ name }) => name));
  const kept = found.filter(({ name, isOwn }) => isOwn && !names.has(name)).map(({ name, value }) => ({ name, value }));
  return {
    mended: mended.length === 0 ? null : [...kept, ...mended],
    left: lacking.map(({ name }) => name).filter(isChosen),
  };
}

function isEnough({ name, value }: TopicSetting, found: string | undefined): boolean {
  if (found === undefined) return false;
  if (!atLeast.has(name) && name !== retention)
    return found === value || asGood[`${name} ${value}`]?.includes(found) === true;
  return Number(found) < 0 || Number(found) >= Number(value);
}
