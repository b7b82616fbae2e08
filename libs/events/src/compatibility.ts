import type { Schema } from './types-of-schemas.js';

type Named = readonly [name: string, schema: Schema];

/**
 * What a later schema takes away from an earlier one, in words; empty: it only adds. An event may gain properties, and
 * a promise may become firmer (a property that is always there now). It may not lose a property, change its type, or allow a value that
 * a consumer of the earlier one has never met. `isInput`: the schema of what others send us, where it is the other way
 * round: nothing may be required or refused that was not before.
 */
export function breaksOf(before: Schema, after: Schema, isInput = false, path = ''): string[] {
  const breaks: string[] = [];
  const where = path === '' ? 'the top' : path;
  if (JSON.stringify(typesOf(before)) !== JSON.stringify(typesOf(after))) breaks.push(`${where}: its type changed`);
  if (before.$ref !== after.$ref) breaks.push(`${where}: it refers to something else`);
  breaks.push(...valueBreaks(before, after, isInput, where), ...requiredBreaks(before, after, isInput, where));
  if (isInput && after['additionalProperties'] === false && before['additionalProperties'] !== false)
    breaks.push(`${where}: it refuses what it does not know`);
  for (const [name, earlier, later] of pairs(before, after)) {
    const inner = `${path}/${name}`;
    if (later === undefined) breaks.push(`${inner}: it is gone`);
    else breaks.push(...breaksOf(earlier, later, isInput, inner));
  }
  return breaks;
}

function typesOf({ type }: Schema): readonly string[] {
  return typeof type === 'string' ? [type] : [...(type ?? [])].toSorted((a, b) => (a < b ? -1 : 1));
}

function valuesOf(schema: Schema): readonly unknown[] | null {
  return 'const' in schema ? [schema.const] : (schema.enum ?? null);
}

function valueBreaks(before: Schema, after: Schema, isInput: boolean, where: string): string[] {
  const [earlier, later] = isInput ? [valuesOf(after), valuesOf(before)] : [valuesOf(before), valuesOf(after)];
  if (earlier === null) return [];
  if (later === null) return [`${where}: its values changed`];
  const strange = later.filter((value) => !earlier.includes(value));
  return strange.map((value) => `${where}: ${JSON.stringify(value)} is ${isInput ? 'refused now' : 'a new value'}`);
}

function requiredBreaks(before: Schema, after: Schema, isInput: boolean, where: string): string[] {
  const [earlier, later] = [before.required ?? [], after.required ?? []];
  return isInput
    ? later.filter((name) => !earlier.includes(name)).map((name) => `${where}: ${name} is required now`)
    : earlier.filter((name) => !later.includes(name)).map((name) => `${where}: ${name} may be missing now`);
}

/** What lies inside both. */
function pairs(before: Schema, after: Schema): (readonly [string, Schema, Schema | undefined])[] {
  const later = new Map(inside(after));
  return inside(before).map(([name, schema]) => [name, schema, later.get(name)]);
}

function inside({ properties, items, oneOf }: Schema): Named[] {
  return [
    ...Object.entries(properties ?? {}),
    ...(items === undefined ? [] : ([['items', items]] as const)),
    ...(oneOf ?? []).map((one, index) => [`oneOf ${index}`, one] as const),
  ];
}
