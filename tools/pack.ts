import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { root } from './machine.js';

/**
 * `npm run pack -- consumer|wechat <folder>` writes a library as a package of its own, with types, ready for `npm pack`.
 * The contract (libs/events) goes in with the consumer kit, so that a service installs one thing.
 */

interface Library {
  readonly description: string;
  /** The library first; the others go in with it. */
  readonly rooms: readonly string[];
  readonly dependencies: readonly string[];
}

const libraries: Readonly<Record<string, Library>> = {
  consumer: {
    description: 'Follows the events of Unionlink: who is who, in your own database, and your code is told of merges.',
    rooms: ['consumer', 'events'],
    dependencies: ['eventsource-parser', 'jose', 'kafkajs'],
  },
  wechat: {
    description: "WeChat's server API for who somebody is: logins, followers, message push, and the cryptography.",
    rooms: ['wechat'],
    dependencies: [],
  },
};

interface RootPackage {
  readonly version: string;
  readonly license: string;
  readonly engines: object;
  readonly dependencies: Readonly<Record<string, string>>;
}

const isShipped = (path: string): boolean => !/\.(spec|fixture|main)\.(d\.ts|js)(\.map)?$/.test(path);

const entryOf = (room: string): object => ({
  types: `./${room}/src/index.d.ts`,
  default: `./${room}/src/index.js`,
});

function manifest(name: string, { description, rooms, dependencies }: Library, ours: RootPackage): object {
  const [, ...others] = rooms;
  return {
    name: `@unionlink/${name}`,
    version: ours.version,
    description,
    license: ours.license,
    type: 'module',
    engines: ours.engines,
    exports: { '.': entryOf(name) },
    imports: Object.fromEntries(others.map((room) => [`#${room}`, entryOf(room)])),
    files: rooms,
    dependencies: Object.fromEntries(dependencies.map((needed) => [needed, ours.dependencies[needed]])),
  };
}

function writeTypes(name: string, folder: string): void {
  const entry = join(root, 'libs', name, 'src/index.ts');
  const options = ['--declaration', '--emitDeclarationOnly', '--rootDir', join(root, 'libs'), '--outDir', folder];
  const project = JSON.parse(readFileSync(join(root, 'tsconfig.json'), 'utf8')) as { compilerOptions: object };
  const settings = { ...project.compilerOptions, types: ['node'], sourceMap: false };
  const file = join(root, 'dist', `pack-${name}.tsconfig.json`);
  writeFileSync(file, JSON.stringify({ compilerOptions: settings, files: [entry] }));
  execFileSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', file, ...options], {
    stdio: 'inherit',
  });
}

const [name = '', given] = process.argv.slice(2);
const library = libraries[name];
if (library === undefined || given === undefined)
  throw new Error(`npm run pack -- ${Object.keys(libraries).join('|')} <folder>`);
const folder = resolve(given);
rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });
writeTypes(name, folder);
for (const room of library.rooms)
  cpSync(join(root, 'dist/libs', room, 'src'), join(folder, room, 'src'), { recursive: true, filter: isShipped });
const rootPackage: RootPackage = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
writeFileSync(join(folder, 'package.json'), `${JSON.stringify(manifest(name, library, rootPackage), null, 2)}\n`);
cpSync(join(root, 'libs', name, 'README.md'), join(folder, 'README.md'));
cpSync(join(root, 'LICENSE'), join(folder, 'LICENSE'));
