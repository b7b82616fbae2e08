import { inspect } from 'node:util';

const shown = '[secret]';

/**
 * A text that must not be seen: a session_key or a person's token. It shows itself only to `reveal()`, so that logging
 * or serialising an answer by accident gives nothing away.
 */
export class SecretText {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  reveal(): string {
    return this.#text;
  }

  toString(): string {
    return shown;
  }

  toJSON(): string {
    return shown;
  }

  [inspect.custom](): string {
    return shown;
  }
}
