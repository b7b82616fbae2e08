import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { asyncApiDocument } from './async-api.js';
import type { Schema } from './types-of-schemas.js';
import { schemasModule, typesOf } from './types-of-schemas.js';

/**
 * Writes what follows from the schemas. From the repository's root: `npx nest build && node
 * dist/libs/events/src/write.main.js && npx prettier --write docs/asyncapi.json`; twice after a change of a schema, because
 * the document is built from the compiled schemas.
 */
const room = join(process.cwd(), 'libs/events');
const schemas = readdirSync(join(room, 'schemas'))
  .toSorted()
  .map((file): Schema => JSON.parse(readFileSync(join(room, 'schemas', file), 'utf8')));
writeFileSync(join(room, 'src/from-schemas/data.ts'), typesOf(schemas));
writeFileSync(join(room, 'src/from-schemas/schemas.ts'), schemasModule(schemas));

const { version }: { version: string } = JSON.parse(readFileSync(join(process.cwd(), 'package.json'), 'utf8'));
writeFileSync(join(process.cwd(), 'docs/asyncapi.json'), `${JSON.stringify(asyncApiDocument({ version }), null, 2)}\n`);
