import { createHash } from 'node:crypto';

/** So many letters after the leading `o` are shared by all ids of one app, as seen in WeChat's own samples. */
const prefixLength = 5;
const idLength = 28;

function digest(...parts: readonly string[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('base64url');
}

function scopedId(scope: readonly string[], person: string): string {
  const prefix = digest(...scope).slice(0, prefixLength);
  return `o${prefix}${digest(...scope, person)}`.slice(0, idLength);
}

/** The person's name inside one app: always the same, so that a story told twice has the same ids. */
export function openIdOf(appId: string, person: string): string {
  return scopedId(['app', appId], person);
}

/** The person's name inside one Open Platform account, and so another one in another account. */
export function unionIdOf(openPlatform: string, person: string): string {
  return scopedId(['open platform', openPlatform], person);
}

/** What a snapshot page hands out: an openId that looks real … */
export function snapshotOpenIdOf(appId: string, person: string): string {
  return scopedId(['app', appId], `snapshot of ${person}`);
}

/** … and a unionId that several strangers share, as reported of WeChat's (comm:00048c10410368a8e13e4f59151c00). */
export function snapshotUnionIdOf(openPlatform: string): string {
  return scopedId(['open platform', openPlatform], 'snapshot');
}

/** The Open Platform account's own appid. */
export function openAppIdOf(openPlatform: string): string {
  return `wx${createHash('sha256').update(openPlatform).digest('hex').slice(0, 16)}`;
}

/** The app's older name, which pushes carry as ToUserName. */
export function originalIdOf(appId: string): string {
  return `gh_${createHash('sha256').update(appId).digest('hex').slice(0, 12)}`;
}
