/** A push's content as text and structure: numbers stay the digits that were sent. */
export type PushValue = string | PushFields | readonly PushValue[];
export interface PushFields {
  readonly [name: string]: PushValue;
}

/**
 * Why a push cannot be read: not well-formed, nested too deep, with too many fields, an identity field twice, a field missing or of the wrong
 * shape, or another app named inside.
 */
export type UnreadableReason =
  'not_utf8' | 'malformed' | 'too_deep' | 'too_many_fields' | 'repeated_field' | 'incomplete' | 'other_app';

export class PushUnreadable extends Error {
  override readonly name = 'PushUnreadable';

  constructor(readonly reason: UnreadableReason) {
    super(`the push cannot be read: ${reason}`);
  }
}

export const depthMax = 16;
/** So many elements or values; real pushes have some tens. Bounds what an unsigned body can cost. */
export const fieldsMax = 1000;

/** Fields that say who, when and what: two of one name would let each reader choose another. */
const identityFields: ReadonlySet<string> = new Set([
  'ToUserName',
  'FromUserName',
  'CreateTime',
  'MsgType',
  'Event',
  'EventKey',
  'Ticket',
  'OpenID',
  'AppID',
  'UnionID',
  'UnionId',
  'MsgId',
  'MsgID',
  'RevokeInfo',
  'PluginID',
  'OpenPID',
  'Encrypt',
]);

/** Collects the fields of one level. Names are trimmed: WeChat's own samples hold `" OpenID"` and `< OpenPID>`. */
export class FieldCollector {
  // No prototype: a field may be called __proto__.
  readonly fields: Record<string, PushValue> = Object.create(null) as Record<string, PushValue>;
  readonly #isTop: boolean;
  readonly #lists = new Set<string>();

  constructor(depth: number) {
    this.#isTop = depth <= 1;
  }

  /** A list comes as one element or as several: several become an array. */
  add(rawName: string, value: PushValue): void {
    const name = cleanText(rawName);
    const held = this.fields[name];
    if (held === undefined) {
      this.fields[name] = value;
      return;
    }
    if (this.#isTop && identityFields.has(name)) throw new PushUnreadable('repeated_field');
    if (this.#lists.has(name)) (held as PushValue[]).push(value);
    else this.fields[name] = [held, value];
    this.#lists.add(name);
  }
}

// eslint-disable-next-line no-control-regex -- U+0000 is what is to go
const unstorable = /[\0\p{Surrogate}]/gu;

/**
 * Trimmed, and without what PostgreSQL's text and jsonb cannot hold: U+0000 and halves of surrogate pairs. They are
 * replaced, not taken out: an id that held one is no id any more.
 */
export function cleanText(text: string): string {
  return text.replace(unstorable, '\uFFFD').trim();
}

/** A scalar field; undefined where it is absent or empty, an error where it is no scalar. */
export function textField(fields: PushFields, name: string): string | undefined {
  const value = fields[name];
  if (value === undefined || value === '') return undefined;
  if (typeof value !== 'string') throw new PushUnreadable('incomplete');
  return value;
}

/** A field with two spellings, which must not contradict each other. */
export function eitherField(fields: PushFields, one: string, other: string): string | undefined {
  const [first, second] = [textField(fields, one), textField(fields, other)];
  if (first !== undefined && second !== undefined && first !== second) throw new PushUnreadable('repeated_field');
  return first ?? second;
}
