import { readdirSync, readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import { asyncApiDocument, eventTypes, fromStructured, schemas, userEventTypes, userStateType } from './index.js';
import type { StructuredEvent } from './index.js';
import type { Schema } from './types-of-schemas.js';
import { schemaName, schemasModule, typesOf } from './types-of-schemas.js';

const root = new URL('../../../../', import.meta.url);
const text = (path: string): string => readFileSync(new URL(path, root), 'utf8');
const json = (path: string) => JSON.parse(text(path));
const filesIn = (path: string): string[] => readdirSync(new URL(path, root)).toSorted();

const schemaFiles = filesIn('libs/events/schemas/').map((file): Schema => json(`libs/events/schemas/${file}`));
const ajv = new Ajv2020({ strict: true, allowUnionTypes: true, strictTypes: false, allErrors: true });
formats.default(ajv);
for (const schema of schemaFiles) ajv.addSchema(schema);

const problems = (name: string, value: unknown): unknown => {
  const validate = ajv.getSchema(`urn:unionlink:schemas:${name}`);
  if (validate === undefined) throw new Error(`no schema ${name}`);
  return validate(value) === true ? [] : validate.errors;
};
const example = (name: string): StructuredEvent<Record<string, unknown>> => json(`libs/events/examples/${name}.json`);

/** As a schema of a later release would be, seen from a consumer of today: more fields, at every level. */
function withMore(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withMore);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([name, inner]) => [name, withMore(inner)]);
  return { ...Object.fromEntries(entries), addedLater: { deep: [1, 'two', null] } };
}

describe('The event contract', () => {
  it('has a schema for every type, and the code knows every type that has one', () => {
    const names = schemaFiles.map(schemaName).filter((name) => name.startsWith('identity.'));
    expect(names.toSorted()).toEqual([...eventTypes].toSorted());
    expect(userEventTypes).toHaveLength(11);
    expect(eventTypes).toHaveLength(20);
  });

  it('has TypeScript that was written from the schemas as they are', () => {
    expect(schemas).toEqual(schemaFiles);
    expect(text('libs/events/src/from-schemas/data.ts')).toBe(typesOf(schemaFiles));
    expect(text('libs/events/src/from-schemas/schemas.ts')).toBe(schemasModule(schemaFiles));
  });

  it('calls each schema file by the name in its $id', () => {
    expect(filesIn('libs/events/schemas/')).toEqual(
      schemaFiles.map((schema) => `${schemaName(schema)}.json`).toSorted(),
    );
  });

  it('has an AsyncAPI document that is current', () => {
    const { version } = json('package.json');
    expect(json('docs/asyncapi.json')).toEqual(JSON.parse(JSON.stringify(asyncApiDocument({ version }))));
  });

  it('has an AsyncAPI document without a reference that leads nowhere', () => {
    const document = asyncApiDocument({ version: '1.0.0', topicPrefix: 'test.' });
    const references = [...JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g)].map((match) => String(match[1]));
    const lost = references.filter((reference) => {
      const found = reference
        .split('/')
        .slice(1)
        .reduce<unknown>((at, name) => (at as Record<string, unknown> | undefined)?.[name], document);
      return found === undefined;
    });
    expect(references.length).toBeGreaterThan(60);
    expect(lost).toEqual([]);
    expect(JSON.stringify(document)).toContain('"address":"test.identity.user-events.v1"');
  });
});

describe('The golden examples', () => {
  it.each([...eventTypes])('%s keeps to its schema, and its attributes to its data', (type) => {
    const event = example(type);
    expect(problems(type, event.data)).toEqual([]);
    const envelope = fromStructured(event);
    expect(event.type).toBe(type);
    expect(event.dataschema).toBe(`urn:unionlink:schemas:${type}`);
    expect(envelope.subject).toBe(event.data['userId']);
    expect(envelope.version).toBe(event.data['version'] ?? null);
    expect((event.data['user'] as { version: number } | undefined)?.version).toBe(event.data['version']);
  });

  it.each(['live', 'merged', 'erased'])('has the state of a user that is %s', (status) => {
    const state = json(`libs/events/examples/user-state.${status}.json`);
    expect(problems('user-state', state)).toEqual([]);
    expect(state.status).toBe(status);
  });

  it.each(['observation', 'acknowledgement', 'reduced-event'])('has one of %s', (name) => {
    expect(problems(name, json(`libs/events/examples/${name}.json`))).toEqual([]);
  });

  it('has nothing beside: an example without a type is a mistake', () => {
    const extra = ['user-state.live', 'user-state.merged', 'user-state.erased', 'observation', 'acknowledgement'];
    const expected = [...eventTypes, ...extra, 'reduced-event'].map((name) => `${name}.json`);
    expect(filesIn('libs/events/examples/')).toEqual(expected.toSorted());
    expect(userStateType).toBe('identity.UserState.v1');
  });
});

describe('Compatibility', () => {
  it.each([...eventTypes])('%s: today’s consumer reads an event of a later release, with fields added', (type) => {
    expect(problems(type, withMore(example(type).data))).toEqual([]);
    expect(fromStructured(withMore(example(type)))).toMatchObject({ type, id: example(type).id });
  });

  it.each([...eventTypes])(
    '%s: a consumer of a later release reads today’s event, whose added fields are missing',
    (type) => {
      // A later schema may only add optional properties: the same schema with one more, and nothing more required.
      const today = schemaFiles.find((schema) => schemaName(schema) === type);
      const later = { ...today, $id: `urn:later:${type}`, properties: { ...today?.properties, addedLater: true } };
      expect(ajv.validate(later, example(type).data)).toBe(true);
    },
  );

  it.each([...eventTypes])('%s: what is promised today cannot be left out', (type) => {
    for (const name of Object.keys(example(type).data)) {
      const { [name]: _left, ...rest } = example(type).data;
      expect({ name, problems: problems(type, rest) }).not.toEqual({ name, problems: [] });
    }
  });

  it('refuses states that contradict themselves', () => {
    const live = json('libs/events/examples/user-state.live.json');
    const merged = json('libs/events/examples/user-state.merged.json');
    expect(problems('user-state', { ...live, mergedInto: '019abf3c-5f10-7a01-8c44-000000000001' })).not.toEqual([]);
    expect(problems('user-state', { ...merged, mergedInto: null })).not.toEqual([]);
    expect(problems('user-state', { ...live, status: 'gone' })).not.toEqual([]);
    expect(problems('user-state', { ...live, version: 0 })).not.toEqual([]);
  });
});
