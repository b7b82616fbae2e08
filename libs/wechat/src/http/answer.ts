/** A JSON object as WeChat answered it, its fields not yet looked at. */
export type AnswerFields = Readonly<Record<string, unknown>>;

export type Answer =
  | { readonly kind: 'object'; readonly fields: AnswerFields; readonly errcode: number }
  | { readonly kind: 'unreadable'; readonly reason: string };

/**
 * Reads an answer's body. The Content-Type is ignored: WeChat labels JSON as text/plain
 * (node-webot/wechat-api, pull requests 138 and 204). `{}`, HTML, null and nothing at all are not answers.
 */
export function readAnswer(body: Uint8Array): Answer {
  // Not fatal: a cut-off emoji in a nickname must not fail a login. Identifiers are checked letter by letter later.
  const text = new TextDecoder('utf-8').decode(body);
  if (text.trim() === '') return { kind: 'unreadable', reason: 'the answer is empty' };
  const value = parseRepaired(text);
  if (value === undefined) return { kind: 'unreadable', reason: 'the answer is not JSON' };
  if (!isObject(value)) return { kind: 'unreadable', reason: 'the answer is not a JSON object' };
  if (Object.keys(value).length === 0) return { kind: 'unreadable', reason: 'the answer is an empty object' };
  const errcode = value['errcode'] === undefined ? 0 : integer(value['errcode']);
  if (errcode === null) return { kind: 'unreadable', reason: 'errcode is not a number' };
  return { kind: 'object', fields: value, errcode };
}

/**
 * Nicknames can hold raw control characters, which JSON forbids: they become blanks, once. Taken out, they would leave a
 * valid but different id where they stood in one.
 */
function parseRepaired(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    try {
      // eslint-disable-next-line no-control-regex -- control characters are what is to go
      return JSON.parse(text.replace(/[\u0000-\u001f]/g, ' '));
    } catch {
      return undefined;
    }
  }
}

/** `… rid: 65a0-1b2c-3d4e` today; `hints: [ req_id: Xy12 ]`, `hint: [Xy12]` in older texts. */
export function requestId(errmsg: string): string | null {
  const found = /\b(?:rid|req_id|hints?):\s*\[?\s*(?:req_id:\s*)?([\w!.-]{1,64})/i.exec(errmsg);
  return found?.[1] ?? null;
}

export function isObject(value: unknown): value is AnswerFields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A whole number, also where WeChat writes it as text. */
export function integer(value: unknown): number | null {
  if (typeof value === 'number' && Number.isSafeInteger(value)) return value;
  if (typeof value === 'string' && /^-?\d{1,15}$/.test(value.trim())) return Number(value.trim());
  return null;
}
