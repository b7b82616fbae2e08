/** Ids of one person. An openId means nothing without its app, nor a unionId without its account: the same text elsewhere is somebody else. */
export interface PersonalIds {
  readonly identities: readonly { readonly appId: string; readonly openId: string }[];
  readonly unionKeys: readonly { readonly openPlatformId: string; readonly unionId: string }[];
}

const erased = 'erased';
/** WeChat's ids have 28 characters. One of less than these may be a part of any word, and is taken as a whole word only. */
const anywhereFrom = 8;

export function textsOf({ identities, unionKeys }: PersonalIds): readonly string[] {
  return [...new Set([...identities.map(({ openId }) => openId), ...unionKeys.map(({ unionId }) => unionId)])];
}

/** What LIKE finds at least all of them by. */
export function likeAny(texts: readonly string[], inQuotes = ''): string[] {
  return texts.map((text) => `%${inQuotes}${text.replaceAll('_', '\\_')}${inQuotes}%`);
}

/**
 * The JSON without these ids, everything else and the order of its keys kept; the same text where it names none of them.
 * `reasonOf` answers what is left of a reason that somebody wrote.
 */
export function redactJson(json: string, personal: PersonalIds, reasonOf: (reason: string) => string | null): string {
  const openIds = new Set(personal.identities.map(({ appId, openId }) => `${appId}\n${openId}`));
  const unionIds = new Set(personal.unionKeys.map((key) => `${key.openPlatformId}\n${key.unionId}`));
  const texts = new Set(textsOf(personal));
  let hasChanged = false;
  const walk = (value: unknown): unknown => {
    if (typeof value === 'string') return texts.has(value) ? replaced() : value;
    if (Array.isArray(value)) return value.map(walk);
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, memberOf(value, name, member)]));
  };
  const memberOf = (owner: object, name: string, member: unknown): unknown => {
    if (name === 'reason' && typeof member === 'string') {
      const left = reasonOf(member);
      hasChanged ||= left !== member;
      return left;
    }
    const space = name === 'openId' ? 'appId' : name === 'unionId' ? 'openPlatformId' : null;
    const account: unknown = space === null ? undefined : Reflect.get(owner, space);
    if (typeof account !== 'string' || typeof member !== 'string') return walk(member);
    return (name === 'openId' ? openIds : unionIds).has(`${account}\n${member}`) ? replaced() : member;
  };
  const replaced = (): string => {
    hasChanged = true;
    return erased;
  };
  const clean = walk(JSON.parse(json));
  return hasChanged ? JSON.stringify(clean) : json;
}

/** A text without these ids. */
export function redactText(text: string, ids: readonly string[]): string {
  const words = new Set(ids);
  const long = ids.filter(({ length }) => length >= anywhereFrom);
  // The longest first: one id may be a part of another.
  return long
    .toSorted((a, b) => b.length - a.length)
    .reduce((left, id) => left.replaceAll(id, erased), text)
    .replaceAll(/[A-Za-z0-9_-]+/g, (word) => (words.has(word) ? erased : word));
}
