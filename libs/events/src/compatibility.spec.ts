import { readdirSync, readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import { breaksOf } from './compatibility.js';
import { eventTypes, schemas } from './index.js';
import type { Schema } from './types-of-schemas.js';
import { schemaName } from './types-of-schemas.js';

/** libs/events/released: the schemas as they were promised. A release adds a folder; nothing in one is ever changed. */
const room = new URL('../../../../libs/events/', import.meta.url);
const json = (path: string) => JSON.parse(readFileSync(new URL(path, room), 'utf8'));
const releases = readdirSync(new URL('released/', room)).toSorted();
const releasedIn = (release: string): Schema[] =>
  readdirSync(new URL(`released/${release}/`, room)).map((file): Schema => json(`released/${release}/${file}`));
const inputs = new Set(['observation', 'acknowledgement']);

describe('Since what was released', () => {
  it.each(releases)('%s, the schemas have only been added to', (release) => {
    const now = new Map(schemas.map((schema) => [schemaName(schema), schema]));
    const breaks = releasedIn(release).flatMap((before) => {
      const name = schemaName(before);
      const after = now.get(name);
      if (after === undefined) return [`${name} is gone`];
      return breaksOf(before, after, inputs.has(name)).map((what) => `${name} ${what}`);
    });
    expect(breaks).toEqual([]);
  });

  it.each(releases)('%s, its consumers read the events of now', (release) => {
    const ajv = new Ajv2020({ strict: true, allowUnionTypes: true, strictTypes: false });
    formats.default(ajv);
    const released = releasedIn(release);
    for (const schema of released) ajv.addSchema(schema);
    const known = new Set(released.map(schemaName));
    for (const type of eventTypes.filter((name) => known.has(name))) {
      const validate = ajv.getSchema(`urn:unionlink:schemas:${type}`);
      expect([type, validate?.(json(`examples/${type}.json`).data), validate?.errors]).toEqual([type, true, null]);
    }
  });
});

describe('What breaks a consumer is found:', () => {
  const before: Schema = {
    type: 'object',
    properties: { id: { type: 'string' }, cause: { enum: ['a', 'b'] }, list: { items: { properties: { x: {} } } } },
    required: ['id'],
  };
  const properties = before.properties ?? {};

  it.each([
    ['nothing, where something is added', { ...before, properties: { ...properties, more: {} } }, []],
    ['nothing, where a promise is firmer', { ...before, required: ['id', 'list'] }, []],
    [
      'a property that is gone',
      { ...before, properties: { id: properties['id'] ?? {} } },
      ['/cause: it is gone', '/list: it is gone'],
    ],
    ['another type', { ...before, properties: { ...properties, id: { type: 'number' } } }, ['/id: its type changed']],
    ['a promise taken back', { ...before, required: [] }, ['the top: id may be missing now']],
    [
      'a value never met',
      { ...before, properties: { ...properties, cause: { enum: ['a', 'b', 'c'] } } },
      ['/cause: "c" is a new value'],
    ],
    [
      'what is lost deep inside',
      { ...before, properties: { ...properties, list: { items: { properties: {} } } } },
      ['/list/items/x: it is gone'],
    ],
  ] as [string, Schema, string[]][])('%s', (_what, after, breaks) => {
    expect(breaksOf(before, after)).toEqual(breaks);
  });

  it('what others send may leave out what it could, and still say what it could', () => {
    expect(breaksOf(before, { ...before, required: [] }, true)).toEqual([]);
    expect(breaksOf(before, { ...before, required: ['id', 'list'] }, true)).toEqual(['the top: list is required now']);
    const fewer = { ...before, properties: { ...properties, cause: { enum: ['a'] } } };
    expect(breaksOf(before, fewer, true)).toEqual(['/cause: "b" is refused now']);
    expect(breaksOf(before, { ...before, additionalProperties: false }, true)).toHaveLength(1);
  });
});
