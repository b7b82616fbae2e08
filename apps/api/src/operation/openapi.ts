import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { OpenAPIObject } from '@nestjs/swagger';
import { ApiExtension, DocumentBuilder, getSchemaPath, SwaggerModule } from '@nestjs/swagger';
import type { RefusalCode } from '#identity';
import { scopeKey } from '../access/authentication.guard.js';
import { ProblemAnswer } from '../problem/problem.answers.dto.js';
import { problems } from '../problem/problem-table.js';
import { type Refused, refusesKey } from '../problem/refuses.decorator.js';

type Operation = NonNullable<OpenAPIObject['paths'][string]['get']> & Record<string, unknown>;
type Method = (typeof methods)[number];

const methods = ['get', 'put', 'post', 'delete'] as const;
const createsKey = 'x-creates';

/** Answers 201 where something new was made, and 200 where it was there. */
export const CreatesOrChanges = (): MethodDecorator => ApiExtension(createsKey, true);

const everywhere: readonly RefusalCode[] = ['invalid_request', 'internal', 'unavailable'];
const withKey: readonly RefusalCode[] = ['unauthenticated', 'forbidden', 'rate_limited'];
const withBody: readonly RefusalCode[] = ['payload_too_large', 'unsupported_media_type'];

const idempotencyKey = {
  name: 'Idempotency-Key',
  in: 'header' as const,
  required: false,
  description: 'The same key with the same request answers what was answered first, with Idempotency-Replayed: true.',
  schema: { type: 'string', minLength: 1, maxLength: 255 },
};

/** The API as a document, from the code. */
export function openApiDocument(app: NestFastifyApplication): OpenAPIObject {
  const config = new DocumentBuilder()
    .setTitle('Unionlink')
    .setDescription('One person, one user: resolves the openIds of several WeChat apps to one canonical user.')
    .setVersion('1')
    .addBearerAuth({ type: 'http', scheme: 'bearer' })
    .addSecurityRequirements('bearer')
    .build();
  const document = SwaggerModule.createDocument(app, config, { extraModels: [ProblemAnswer] });
  for (const path of Object.values(document.paths))
    for (const method of methods) {
      const operation = path[method] as Operation | undefined;
      if (operation !== undefined) complete(operation, method);
    }
  for (const schema of Object.values(document.components?.schemas ?? {}))
    if ('properties' in schema) for (const property of Object.values(schema.properties ?? {})) sayNull(property);
  return document;
}

type Property = Exclude<NonNullable<OpenAPIObject['components']>['schemas'], undefined>[string];

/** `nullable` beside a reference says nothing in OpenAPI 3.0. */
function sayNull(property: Property): void {
  if (!('allOf' in property) || property.nullable !== true) return;
  property.anyOf = [...(property.allOf ?? []), { type: 'object', nullable: true, enum: [null] }];
  delete property.allOf;
  delete property.type;
  delete property.nullable;
}

/** What no decorator has to repeat on every route: problems by status, the Idempotency-Key, what needs no API key. */
function complete(operation: Operation, method: Method): void {
  const isPublic = operation[scopeKey] === 'public';
  const own = (operation[refusesKey] ?? []) as Refused[];
  const codes = new Set<Refused>([...everywhere, ...own]);
  if (isPublic) operation.security = [];
  else for (const code of withKey) codes.add(code);
  if (operation.requestBody !== undefined) for (const code of withBody) codes.add(code);
  if (!isPublic && (method === 'post' || method === 'delete')) {
    codes.add('idempotency_key_reused');
    operation.parameters = [...(operation.parameters ?? []), idempotencyKey];
  }
  if (operation[createsKey] === true) {
    const [created = { description: '' }, changed = created] = [operation.responses['201'], operation.responses['200']];
    operation.responses['201'] = { ...changed, ...created, description: 'made' };
    operation.responses['200'] = { ...created, ...changed, description: 'it was there' };
  }
  for (const [status, listed] of byStatus(codes)) operation.responses[status] = problemResponse(listed);
  delete operation[refusesKey];
  delete operation[createsKey];
}

function byStatus(refused: ReadonlySet<Refused>): Map<string, RefusalCode[]> {
  const found = new Map<string, RefusalCode[]>();
  for (const one of refused) {
    const code = typeof one === 'string' ? one : one.code;
    const status = String(typeof one === 'string' ? problems[code].status : one.status);
    found.set(status, [...(found.get(status) ?? []), code]);
  }
  return found;
}

function problemResponse(codes: readonly RefusalCode[]): Operation['responses'][string] {
  return {
    description: codes.map((code) => `\`${code}\`: ${problems[code].title}`).join('; '),
    content: {
      'application/problem+json': {
        schema: {
          allOf: [
            { $ref: getSchemaPath(ProblemAnswer) },
            { type: 'object', properties: { code: { enum: [...codes] } } },
          ],
        },
      },
    },
  };
}

/** `GET /openapi.json` and a page at `/docs`, both offline. */
export function serveOpenApi(app: NestFastifyApplication): void {
  SwaggerModule.setup('docs', app, () => openApiDocument(app), { jsonDocumentUrl: 'openapi.json' });
}
