import { cleanText, depthMax, FieldCollector, fieldsMax, PushUnreadable } from './push-fields.js';
import type { PushFields, PushValue } from './push-fields.js';

const blanks = /[\s\uFEFF]*/y;
const stringToken = /"[^"\\]*(?:\\.[^"\\]*)*"/sy;
/** Numbers, true, false and null. */
const wordToken = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;

/**
 * Reads a push in JSON without JSON.parse, which would round a MsgId beyond 2^53, turn `1e5` into a number, and take the
 * last of two OpenIDs without a word.
 */
export function parseJsonPush(text: string): PushFields {
  return new JsonReader(text).read();
}

class JsonReader {
  #at = 0;
  #fields = 0;

  constructor(private readonly text: string) {}

  read(): PushFields {
    this.#take(blanks);
    const fields = this.#object(1);
    this.#take(blanks);
    if (this.#at !== this.text.length) throw new PushUnreadable('malformed');
    return fields;
  }

  #value(depth: number): PushValue {
    if (depth > depthMax) throw new PushUnreadable('too_deep');
    this.#fields += 1;
    if (this.#fields > fieldsMax) throw new PushUnreadable('too_many_fields');
    const first = this.text[this.#at];
    if (first === '{') return this.#object(depth);
    if (first === '[') return this.#list(depth);
    if (first === '"') return cleanText(this.#string());
    const word = this.#take(wordToken);
    if (word === '') throw new PushUnreadable('malformed');
    return word === 'null' ? '' : word;
  }

  #object(depth: number): PushFields {
    const collector = new FieldCollector(depth);
    this.#sequence('{', '}', () => {
      const name = this.#string();
      this.#punctuation(':');
      collector.add(name, this.#value(depth + 1));
    });
    return collector.fields;
  }

  #list(depth: number): PushValue[] {
    const values: PushValue[] = [];
    this.#sequence('[', ']', () => values.push(this.#value(depth + 1)));
    return values;
  }

  /** Items between two brackets, separated by commas. */
  #sequence(open: string, close: string, item: () => void): void {
    this.#punctuation(open);
    if (this.text[this.#at] === close) {
      this.#at += 1;
      return;
    }
    for (;;) {
      item();
      this.#take(blanks);
      const next = this.text[this.#at];
      if (next !== ',' && next !== close) throw new PushUnreadable('malformed');
      this.#punctuation(next);
      if (next === close) return;
    }
  }

  #punctuation(expected: string): void {
    this.#take(blanks);
    if (this.text[this.#at] !== expected) throw new PushUnreadable('malformed');
    this.#at += 1;
    if (expected !== '}' && expected !== ']') this.#take(blanks);
  }

  #string(): string {
    const token = this.#take(stringToken);
    try {
      // Raw control characters become blanks, as in WeChat's answers.
      // eslint-disable-next-line no-control-regex -- control characters are what is to go
      return String(JSON.parse(token.replace(/[\u0000-\u001f]/g, ' ')));
    } catch {
      throw new PushUnreadable('malformed');
    }
  }

  #take(token: RegExp): string {
    token.lastIndex = this.#at;
    const found = token.exec(this.text)?.[0] ?? '';
    this.#at += found.length;
    return found;
  }
}
