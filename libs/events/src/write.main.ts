import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Schema } from './types-of-schemas.js';
import { schemasModule, typesOf } from './types-of-schemas.js';

/** Writes what follows from the schemas. From the repository's root: `node dist/libs/events/src/write.main.js`. */
const room = join(process.cwd(), 'libs/events');
const schemas = readdirSync(join(room, 'schemas'))
  .toSorted()
  .map((file): Schema => JSON.parse(readFileSync(join(room, 'schemas', file), 'utf8')));
writeFileSync(join(room, 'src/from-schemas/data.ts'), typesOf(schemas));
writeFileSync(join(room, 'src/from-schemas/schemas.ts'), schemasModule(schemas));
