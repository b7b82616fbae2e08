import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder of our package.json. Looked for upwards: compiled files lie elsewhere once they are bundled. */
export const root = folderAbove(fileURLToPath(import.meta.url));

function folderAbove(path: string): string {
  const folder = dirname(path);
  if (folder === path) throw new Error('this is not inside a whole clone or image: package.json is missing');
  return existsSync(join(folder, 'package.json')) ? folder : folderAbove(folder);
}
