import { integer, isObject } from '../http/answer.js';
import type { AnswerFields } from '../http/answer.js';

/** An answer without errcode that lacks what it promises, or has it in another shape. */
export class UnexpectedShape extends Error {
  override readonly name = 'UnexpectedShape';
}

/** WeChat promises neither length nor alphabet for openId and unionId; this holds every sample seen, case kept. */
const idPattern = /^[A-Za-z0-9_-]{1,128}$/;

export function isWechatId(text: string): boolean {
  return idPattern.test(text);
}

export function requiredId(fields: AnswerFields, name: string): string {
  const id = optionalId(fields, name);
  if (id === null) throw new UnexpectedShape(`the answer lacks ${name}`);
  return id;
}

/** Empty and null count as absent, and blanks around are cut: WeChat's samples have all three. */
export function optionalId(fields: AnswerFields, name: string): string | null {
  const value = fields[name];
  if (value === undefined || value === null) return null;
  const id = typeof value === 'string' ? value.trim() : null;
  if (id === '') return null;
  if (id === null || !isWechatId(id)) throw new UnexpectedShape(`${name} of the answer is not an id`);
  return id;
}

export function requiredText(fields: AnswerFields, name: string): string {
  const value = fields[name];
  if (typeof value !== 'string' || value === '') throw new UnexpectedShape(`the answer lacks ${name}`);
  return value;
}

export function optionalText(fields: AnswerFields, name: string): string | null {
  const value = fields[name];
  if (typeof value === 'string') return value === '' ? null : value;
  return typeof value === 'number' ? String(value) : null;
}

export function requiredInteger(fields: AnswerFields, name: string): number {
  const value = integer(fields[name]);
  if (value === null) throw new UnexpectedShape(`the answer lacks ${name}`);
  return value;
}

export function requiredObjects(fields: AnswerFields, name: string): readonly AnswerFields[] {
  const value = fields[name];
  if (!Array.isArray(value) || !value.every(isObject)) throw new UnexpectedShape(`the answer lacks ${name}`);
  return value;
}
