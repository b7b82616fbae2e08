import { cleanText, depthMax, FieldCollector, fieldsMax, PushUnreadable } from './push-fields.js';
import type { PushFields, PushValue } from './push-fields.js';

const cdataOpen = '<![CDATA[';
const cdataClose = ']]>';
const declaration = /^\uFEFF?\s*(?:<\?xml[^<>?]*\?>)?\s*/;
const openTag = /<\s*([A-Za-z_][\w.-]*)\s*(\/?)>/y;
const closeTag = /<\/\s*([A-Za-z_][\w.-]*)\s*>/y;
const entities: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" };

/**
 * Reads the XML that WeChat pushes: elements, text, CDATA and the five built-in entities. Everything else is refused,
 * above all DOCTYPE and entities, with which a body of a hundred bytes fills the memory; a general parser would have to
 * be told so, and to leave `00123` and `1e5` alone.
 */
export function parseXmlPush(text: string): PushFields {
  return new XmlReader(text, declaration.exec(text)?.[0].length ?? 0).read();
}

class XmlReader {
  #at: number;
  #fields = 0;

  constructor(
    private readonly text: string,
    at: number,
  ) {
    this.#at = at;
  }

  read(): PushFields {
    const root = this.#take(openTag);
    if (root?.[1] !== 'xml' || root[2] === '/') throw new PushUnreadable('malformed');
    const content = this.#content('xml', 1);
    if (typeof content === 'string' || this.text.slice(this.#at).trim() !== '') throw new PushUnreadable('malformed');
    return content as PushFields;
  }

  /** What stands between an element's tags: its text or its elements, never both. */
  #content(name: string, depth: number): PushValue {
    if (depth > depthMax) throw new PushUnreadable('too_deep');
    // Most elements hold a text, and need none.
    let collector: FieldCollector | undefined;
    let text = '';
    for (;;) {
      text += this.#text();
      const close = this.#take(closeTag);
      if (close !== null) {
        if (close[1] !== name) throw new PushUnreadable('malformed');
        break;
      }
      const open = this.#take(openTag);
      if (open === null) throw new PushUnreadable('malformed');
      this.#fields += 1;
      if (this.#fields > fieldsMax) throw new PushUnreadable('too_many_fields');
      const [, childName = '', isEmpty] = open;
      collector ??= new FieldCollector(depth);
      collector.add(childName, isEmpty === '/' ? '' : this.#content(childName, depth + 1));
    }
    if (collector === undefined) return cleanText(text);
    if (text.trim() !== '') throw new PushUnreadable('malformed');
    return collector.fields;
  }

  /** Text and CDATA up to the next tag. */
  #text(): string {
    let text = '';
    for (;;) {
      const next = this.text.indexOf('<', this.#at);
      if (next === -1) throw new PushUnreadable('malformed');
      text += unescape(this.text.slice(this.#at, next));
      this.#at = next;
      if (!this.text.startsWith(cdataOpen, next)) return text;
      const end = this.text.indexOf(cdataClose, next);
      if (end === -1) throw new PushUnreadable('malformed');
      text += this.text.slice(next + cdataOpen.length, end);
      this.#at = end + cdataClose.length;
    }
  }

  #take(token: RegExp): RegExpExecArray | null {
    token.lastIndex = this.#at;
    const found = token.exec(this.text);
    if (found !== null) this.#at = token.lastIndex;
    return found;
  }
}

function unescape(text: string): string {
  return text.replace(/&([^;&]*;?)/g, (_whole, name: string) => {
    const character = name.endsWith(';') ? entities[name.slice(0, -1)] : undefined;
    if (character === undefined) throw new PushUnreadable('malformed');
    return character;
  });
}
