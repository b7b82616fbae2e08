import 'reflect-metadata';
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { plainToInstance, Type } from 'class-transformer';
import { IsArray, Matches, validateSync, ValidateNested } from 'class-validator';
import type { AppView, Named } from '#identity';
import { fieldErrors, Refusal as Refused, Registry } from '#identity';
import { AppDto, appIdPattern, NameDto, slug } from '../../apps/api/src/registry/registry.dto.js';
import { IsOptional } from '../../apps/api/src/request/is-optional.decorator.js';
import { Refusal, say } from '../machine.js';
import { commandLine, withInstallation } from './installation.js';

export const help = `registry: entities, their Open Platform accounts and their apps, as one document

  registry show [--entity ID]
      writes it, without secrets; apply takes it back
  registry apply FILE
      registers and changes what FILE names, as the PUTs of the REST API do; - reads standard input. Nothing is taken
      away, and a secret that is left out stays. A document with mistakes changes nothing; one that is broken off by a
      refusal can be applied again.

  { "entities": [ { "entityId": "acme", "name": "Acme",
      "openPlatforms": [ { "openPlatformId": "op1", "name": "Acme's account" } ],
      "apps": [ { "appId": "wx12", "kind": "mini_program", "name": "Shop", "openPlatformId": "op1",
                  "appSecret": "…", "push": { "token": "…", "encodingAesKey": "…", "mode": "safe" } } ] } ] }

DATABASE_URL and SECRETS_KEY as for the API.`;

class OpenPlatformEntry extends NameDto {
  @Matches(slug, { message: 'openPlatformId must be 1 to 64 characters of a-z 0-9 -' })
  openPlatformId: string;
}

class AppEntry extends AppDto {
  @Matches(appIdPattern, { message: 'appId must be 1 to 128 characters of A-Z a-z 0-9 _ -' })
  appId: string;
}

class EntityEntry extends NameDto {
  @Matches(slug, { message: 'entityId must be 1 to 64 characters of a-z 0-9 -' })
  entityId: string;

  @IsOptional()
  @IsArray()
  @ValidateNested({ each: true })
  @Type(() => OpenPlatformEntry)
  openPlatforms?: OpenPlatformEntry[];

  @IsOptional()
  @IsArray()
  @ValidateNested({ each: true })
  @Type(() => AppEntry)
  apps?: AppEntry[];
}

class RegistryDocument {
  @IsArray()
  @ValidateNested({ each: true })
  @Type(() => EntityEntry)
  entities: EntityEntry[];
}

const pageRows = 200;

export async function run(args: readonly string[]): Promise<number> {
  const options = { entity: { type: 'string' } } as const;
  const { values, positionals } = parseArgs({ args: [...args], allowPositionals: true, options });
  const [what, file, ...rest] = positionals;
  const isShow = what === 'show' && file === undefined;
  if (!isShow && (what !== 'apply' || file === undefined || rest.length > 0 || values.entity !== undefined))
    throw new Refusal(help);
  const document = isShow ? null : documentOf(file ?? '');
  return withInstallation(async ({ database, sealer }) => {
    const registry = new Registry(database, sealer);
    if (document === null) say(JSON.stringify(await shown(registry, values.entity ?? null), null, 2));
    else await apply(registry, document);
    return 0;
  });
}

function documentOf(file: string): RegistryDocument {
  let given: unknown;
  try {
    given = JSON.parse(readFileSync(file === '-' ? 0 : file, 'utf8'));
  } catch (error) {
    // What cannot be parsed is not quoted: it may hold secrets.
    const why =
      error instanceof SyntaxError ? 'it is not JSON' : error instanceof Error ? error.message : String(error);
    throw new Refusal(`${file}: ${why}`);
  }
  const document = plainToInstance(RegistryDocument, given);
  const isObject = document instanceof RegistryDocument;
  const errors = isObject ? validateSync(document, { whitelist: true, forbidNonWhitelisted: true }) : [];
  if (isObject && errors.length === 0) return document;
  const lines = fieldErrors(errors).map(({ path, message }) => `  ${path}: ${message}`);
  throw new Refusal([`${file} is not a registry; nothing was changed`, ...lines].join('\n'));
}

const put = async (what: string, work: Promise<{ created: boolean }>): Promise<void> => {
  try {
    say(`${((await work).created ? 'registered' : 'there').padEnd(10)}  ${what}`);
  } catch (error) {
    throw error instanceof Refused ? new Refusal(`${what}: ${error.message} (${error.code})`) : error;
  }
};

async function apply(registry: Registry, { entities }: RegistryDocument): Promise<void> {
  for (const { entityId, name, openPlatforms = [], apps = [] } of entities) {
    await put(`entity ${entityId}`, registry.putEntity(entityId, name, commandLine));
    for (const { openPlatformId: id, name: called } of openPlatforms)
      await put(`Open Platform account ${id}`, registry.putOpenPlatform(entityId, id, called, commandLine));
    for (const { appId, ...settings } of apps)
      await put(`app ${appId}`, registry.putApp(entityId, appId, settings, commandLine));
  }
}

async function shown(registry: Registry, only: string | null): Promise<object> {
  const entities = await all<Named>((page) => registry.entities(page, only));
  if (only !== null && entities.length === 0) throw new Refusal(`no such entity: ${only}`);
  return {
    entities: await Promise.all(
      entities.map(async ({ id: entityId, name }) => ({
        entityId,
        name,
        openPlatforms: (await all<Named>((page) => registry.openPlatforms(entityId, page))).map(
          ({ id: openPlatformId, name: called }) => ({ openPlatformId, name: called }),
        ),
        apps: (await all<AppView>((page) => registry.apps(entityId, page))).map(appEntryOf),
      })),
    ),
  };
}

function appEntryOf({ id: appId, kind, name, openPlatformId, originalId, sandbox, cloudHosting }: AppView): object {
  return { appId, kind, name, openPlatformId, ...(originalId !== null && { originalId }), sandbox, cloudHosting };
}

async function all<Row extends Named>(
  read: (page: { readonly after: string | null; readonly limit: number }) => Promise<Row[]>,
): Promise<Row[]> {
  const rows: Row[] = [];
  for (;;) {
    const page = await read({ after: rows.at(-1)?.id ?? null, limit: pageRows });
    rows.push(...page);
    if (page.length < pageRows) return rows;
  }
}
