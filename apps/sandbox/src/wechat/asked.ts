import { WechatRefusal } from './refusal.js';

/** A query or a body as it came: WeChat's parameters are checked one by one, in its own words. */
export type Given = Readonly<Record<string, unknown>>;

/** The text of a parameter, or undefined where it is missing or doubled. */
export function textOf(given: Given, name: string): string | undefined {
  const value = given[name];
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** A JSON body, whatever Content-Type it came with; a form or garbage is 47001. */
export function objectBody(body: unknown): Given {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) throw new WechatRefusal(47001);
  return body as Given;
}
