import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * Writes the kit as a package of its own: `node dist/libs/consumer/src/pack.main.js <folder>`, after a build. The contract
 * (libs/events) goes in with it, so that a service installs one thing.
 */

const here = dirname(fileURLToPath(import.meta.url));
const root = resolve(here, '../../../..');
const rooms = ['consumer', 'events'] as const;
const isShipped = (path: string): boolean => !/\.(spec|fixture|main)\.(d\.ts|js)(\.map)?$/.test(path);

interface RootPackage {
  readonly version: string;
  readonly license: string;
  readonly engines: object;
  readonly dependencies: Readonly<Record<string, string>>;
}

const entryOf = (room: string): object => ({
  types: `./${room}/src/index.d.ts`,
  default: `./${room}/src/index.js`,
});

function manifest({ version, license, engines, dependencies }: RootPackage): object {
  return {
    name: '@unionlink/consumer',
    version,
    description: 'Follows the events of Unionlink: who is who, in your own database, and your code is told of merges.',
    license,
    type: 'module',
    engines,
    exports: { '.': entryOf('consumer') },
    imports: { '#events': entryOf('events') },
    files: [...rooms],
    dependencies: { jose: dependencies['jose'], kafkajs: dependencies['kafkajs'] },
  };
}

function writeTypes(folder: string): void {
  const entry = join(root, 'libs/consumer/src/index.ts');
  const options = ['--declaration', '--emitDeclarationOnly', '--rootDir', join(root, 'libs'), '--outDir', folder];
  const project = JSON.parse(readFileSync(join(root, 'tsconfig.json'), 'utf8')) as { compilerOptions: object };
  const settings = { ...project.compilerOptions, types: ['node'], sourceMap: false };
  const file = join(root, 'dist/pack.tsconfig.json');
  writeFileSync(file, JSON.stringify({ compilerOptions: settings, files: [entry] }));
  execFileSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', file, ...options], {
    stdio: 'inherit',
  });
}

const [given] = process.argv.slice(2);
if (given === undefined) throw new Error('where to? node dist/libs/consumer/src/pack.main.js <folder>');
const folder = resolve(given);
rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });
writeTypes(folder);
for (const room of rooms)
  cpSync(join(root, 'dist/libs', room, 'src'), join(folder, room, 'src'), { recursive: true, filter: isShipped });
const rootPackage: RootPackage = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
writeFileSync(join(folder, 'package.json'), `${JSON.stringify(manifest(rootPackage), null, 2)}\n`);
cpSync(join(root, 'libs/consumer/README.md'), join(folder, 'README.md'));
cpSync(join(root, 'LICENSE'), join(folder, 'LICENSE'));
