/**
 * The part of JSON Schema our event schemas use, turned into TypeScript. The schemas are the source; what this writes is
 * committed under from-schemas/ and a spec fails when it is stale. A keyword that says nothing about the shape (formats,
 * lengths, anyOf) is left to validation. json-schema-to-typescript does more and brings sixteen packages.
 */
export interface Schema {
  readonly $id?: string;
  readonly $ref?: string;
  readonly title?: string;
  readonly description?: string;
  readonly type?: string | readonly string[];
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly oneOf?: readonly Schema[];
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly [keyword: string]: unknown;
}

const primitives: Readonly<Record<string, string>> = {
  string: 'string',
  integer: 'number',
  number: 'number',
  boolean: 'boolean',
  null: 'null',
};

const idPrefix = 'urn:unionlink:schemas:';

/** `identity.UserLinked.v1` out of the schema's `$id`. */
export function schemaName(schema: Schema): string {
  if (schema.$id?.startsWith(idPrefix) !== true) throw new Error(`not one of our schemas: ${String(schema.$id)}`);
  return schema.$id.slice(idPrefix.length);
}

/** The whole of from-schemas/data.ts. */
export function typesOf(schemas: readonly Schema[]): string {
  const titles = new Map(schemas.map((schema) => [schema.$id, String(schema.title)]));
  const declarations = schemas.map((schema) => {
    const body = typeOf(schema, titles, '');
    const name = String(schema.title);
    return `${doc(schema, '')}export ${body.startsWith('{') ? `interface ${name} ${body}` : `type ${name} = ${body};`}\n`;
  });
  const events = schemas.filter((schema) => schemaName(schema).startsWith('identity.'));
  const byType = events.map((schema) => `  readonly '${schemaName(schema)}': ${String(schema.title)};\n`);
  return [
    '// Written from libs/events/schemas by `node dist/libs/events/src/write.main.js`. Change the schema instead.\n',
    ...declarations,
    `/** What an event of a type carries. */\nexport interface DataByType {\n${byType.join('')}}\n`,
  ].join('\n');
}

/** The whole of from-schemas/schemas.ts: laid out as in the files. */
export function schemasModule(schemas: readonly Schema[]): string {
  const lines = schemas.map((schema) => `  ${JSON.stringify(schema, null, 2)},\n`).join('');
  return (
    "import type { Schema } from '../types-of-schemas.js';\n\n" +
    '// Written from libs/events/schemas by `node dist/libs/events/src/write.main.js`. Change the schema instead.\n' +
    '/** Every JSON Schema of the contract, by name; for validators, and for the AsyncAPI document. */\n' +
    `// prettier-ignore\nexport const schemas: readonly Schema[] = [\n${lines}];\n`
  );
}

function typeOf(schema: Schema, titles: ReadonlyMap<string | undefined, string>, indent: string): string {
  if (schema.$ref !== undefined) return titles.get(schema.$ref) ?? unknownRef(schema.$ref);
  if (schema.oneOf !== undefined) return schema.oneOf.map((one) => typeOf(one, titles, indent)).join(' | ');
  if (schema.enum !== undefined) return schema.enum.map(literal).join(' | ');
  if (schema.const !== undefined) return literal(schema.const);
  if (schema.properties !== undefined) return objectType(schema, titles, indent);
  if (schema.items !== undefined) return `readonly ${typeOf(schema.items, titles, indent)}[]`;
  const names = typeof schema.type === 'string' ? [schema.type] : (schema.type ?? []);
  return names.map((name) => primitives[name] ?? 'unknown').join(' | ') || 'unknown';
}

function objectType(schema: Schema, titles: ReadonlyMap<string | undefined, string>, indent: string): string {
  const inner = `${indent}  `;
  const lines = Object.entries(schema.properties ?? {}).map(([name, property]) => {
    const mark = schema.required?.includes(name) === true ? '' : '?';
    return `${doc(property, inner)}${member(`${inner}readonly ${name}${mark}:`, typeOf(property, titles, inner))}`;
  });
  return `{\n${lines.join('')}${indent}}`;
}

/** As prettier breaks a union that is too long for one line. */
function member(start: string, type: string): string {
  const line = `${start} ${type};\n`;
  return line.length <= 121 || type.startsWith('{') ? line : `${start}\n    | ${type.replaceAll(' | ', '\n    | ')};\n`;
}

function literal(value: unknown): string {
  return typeof value === 'string' ? `'${value}'` : String(value);
}

function doc(schema: Schema, indent: string): string {
  return schema.description === undefined ? '' : `${indent}/** ${schema.description} */\n`;
}

function unknownRef(ref: string): never {
  throw new Error(`a schema refers to ${ref}, which is none of ours`);
}
