import { type Document, resolved, type Route, type Schema } from './document.js';

export interface HostileRequest {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
}

type Random = () => number;

const pick = <T>(random: Random, from: readonly T[]): T => {
  const one = from[Math.floor(random() * from.length)];
  if (one === undefined) throw new Error('nothing to pick from');
  return one;
};

const nasty: readonly string[] = [
  '',
  ' ',
  '0',
  '-1',
  'null',
  'undefined',
  '[object Object]',
  'NaN',
  '1e309',
  'true',
  '..',
  '../../etc/passwd',
  "' OR 1=1 --",
  '"; DROP TABLE users; --',
  '%00',
  '\u0000',
  '\ud800',
  '\u202e',
  '😀'.repeat(40),
  'é'.repeat(128),
  'o'.repeat(129),
  'x'.repeat(3_000),
  '{{7*7}}',
  '<script>alert(1)</script>',
  '__proto__',
  'constructor',
  '9007199254740993',
  '2026-02-30T00:00:00Z',
  '9999-12-31T23:59:59.999Z',
  '-000001-01-01T00:00:00Z',
  '00000000-0000-0000-0000-000000000000',
  'ffffffff-ffff-ffff-ffff-ffffffffffff',
];
const nastyValues: readonly unknown[] = [
  null,
  true,
  0,
  -1,
  1.5,
  1e21,
  Number.MAX_SAFE_INTEGER,
  [],
  {},
  [null],
  [[[]]],
  { $ne: null },
  { length: 5 },
  Array.from({ length: 300 }, () => 'o'),
];

/** `known`: values by the parameter's name that lead somewhere, so that not everything ends at the door. */
export function hostileRequest(
  document: Document,
  { method, path, operation }: Route,
  known: Readonly<Record<string, readonly string[]>>,
  random: Random,
): HostileRequest {
  const value = (name: string): string => {
    const good = known[name];
    return good !== undefined && random() < 0.6 ? pick(random, good) : pick(random, nasty);
  };
  const filled = path.replaceAll(/\{(\w+)\}/g, (_, name: string) => encoded(value(name), random) || 'x');
  const query = (operation.parameters ?? [])
    .filter((parameter) => parameter.in === 'query' && (parameter.required === true || random() < 0.3))
    .map(({ name }) => `${name}=${encoded(value(name), random)}`);
  if (random() < 0.05) query.push(`${encoded(pick(random, nasty), random)}=1`);
  const headers: Record<string, string> = {};
  if (random() < 0.1) headers['idempotency-key'] = pick(random, ['k', `k${random()}`, 'x'.repeat(256), ' ', 'ü']);
  const schema = operation.requestBody?.content['application/json']?.schema;
  const hasBody = operation.requestBody !== undefined;
  if (hasBody)
    headers['content-type'] = random() < 0.97 ? 'application/json' : pick(random, ['text/xml', 'a/b', '*/*']);
  const search = query.length === 0 ? '' : `?${query.join('&')}`;
  return {
    method: method.toUpperCase(),
    path: `${filled}${search}`,
    headers,
    body: hasBody ? bodyOf(document, schema ?? {}, value, random) : undefined,
  };
}

/** Mostly as a client would; sometimes the raw bytes, sometimes what no client should send. */
function encoded(text: string, random: Random): string {
  if (random() < 0.02) return pick(random, ['%ff', '%', '%zz', '%2e%2e%2f', '%00']);
  // A lone surrogate cannot be encoded; through a Buffer it becomes the replacement character.
  return encodeURIComponent(Buffer.from(text).toString());
}

function bodyOf(document: Document, schema: Schema, value: (name: string) => string, random: Random): string {
  if (random() < 0.03)
    return pick(random, ['', '{', 'nul', '"x"', '[1', '{"a":1,"a":2}', '\u{feff}{}', '{"__proto__":{}}']);
  const body = random() < 0.03 ? pick(random, nastyValues) : valueOf(document, schema, 'body', value, random, 0);
  return JSON.stringify(body) ?? 'null';
}

const depthMax = 6;

function valueOf(
  document: Document,
  schema: Schema,
  name: string,
  text: (name: string) => string,
  random: Random,
  depth: number,
): unknown {
  if (random() < 0.06) return pick(random, nastyValues);
  const { type, properties, required = [], items, enum: values } = resolved(document, schema);
  if (values !== undefined && random() < 0.9) return pick(random, values);
  if (items !== undefined || type === 'array') {
    const length = pick(random, [0, 1, 1, 2, 3, 5]);
    const one = (): unknown => valueOf(document, items ?? {}, name.replace(/s$/, ''), text, random, depth + 1);
    return depth > depthMax ? [] : Array.from({ length }, one);
  }
  if (properties !== undefined && depth <= depthMax) {
    const fields = Object.entries(properties).filter(([field]) =>
      required.includes(field) ? random() < 0.95 : random() < 0.5,
    );
    const made = fields.map(([field, one]) => [field, valueOf(document, one, field, text, random, depth + 1)]);
    if (random() < 0.03) made.push([pick(random, nasty), 1]);
    return Object.fromEntries(made);
  }
  if (type === 'boolean') return random() < 0.5;
  if (type === 'number') return pick(random, [0, 1, 60, 1.5, -1, 1e12]);
  return text(name);
}
