/** Ids of one person. An openId means nothing without its app, nor a unionId without its account: the same text elsewhere is somebody else. */
export interface PersonalIds {
  readonly identities: readonly { readonly appId: string; readonly openId: string }[];
  readonly unionKeys: readonly { readonly openPlatformId: string; readonly unionId: string }[];
}

const erased = 'erased';

/** The JSON without these ids, everything else and the order of its keys kept; the same text where it names none of them. */
export function redactJson(json: string, personal: PersonalIds): string {
  const openIds = new Set(personal.identities.map(({ appId, openId }) => `${appId}\n${openId}`));
  const unionIds = new Set(personal.unionKeys.map((key) => `${key.openPlatformId}\n${key.unionId}`));
  const texts = new Set([
    ...personal.identities.map(({ openId }) => openId),
    ...personal.unionKeys.map(({ unionId }) => unionId),
  ]);
  let hasChanged = false;
  const walk = (value: unknown): unknown => {
    if (typeof value === 'string') return texts.has(value) ? replaced() : value;
    if (Array.isArray(value)) return value.map(walk);
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, memberOf(value, name, member)]));
  };
  const memberOf = (owner: object, name: string, member: unknown): unknown => {
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

/** A text without these ids, wherever they stand in it. */
export function redactText(text: string, ids: readonly string[]): string {
  // The longest first: one id may be a part of another.
  return ids.toSorted((a, b) => b.length - a.length).reduce((left, id) => left.replaceAll(id, erased), text);
}
