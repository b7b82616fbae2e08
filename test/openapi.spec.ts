import { readFileSync, writeFileSync } from 'node:fs';
import { Agent, request as httpRequest } from 'node:http';
import { join } from 'node:path';
import { Ajv, type ValidateFunction } from 'ajv';
import addFormats from 'ajv-formats';
import { root } from '../tools/machine.js';
import { type Acme, ok, startAcme } from './harness/acme.js';
import type { Json } from './harness/http.js';
import { type App, operatorKey, startSandbox } from './harness/processes.js';
import { randomOf } from './harness/random.js';
import { counted, shortOrWhole } from './harness/torture.js';
import { breakingChanges } from './openapi/breaking-changes.js';
import { type Document, type Route, routesOf } from './openapi/document.js';
import { type HostileRequest, hostileRequest } from './openapi/hostile-requests.js';

const file = join(root, 'docs', 'openapi.json');
const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 1e9));
/** Of the answers that say that WeChat, not we, could not. */
const wechatCodes: readonly unknown[] = ['wechat_unavailable', 'wechat_misconfigured'];

/** The document is what callers generate their clients from: it must say what the service does. */
describe('The OpenAPI document', () => {
  let sandbox: App;
  let acme: Acme;
  let document: Document;

  beforeAll(async () => {
    sandbox = await startSandbox();
    acme = await startAcme({ apis: 1, env: { WECHAT_BASE_URL: sandbox.url } });
    document = ok(await acme.operator.get<Document>('/openapi.json')).body;
  });
  afterAll(async () => {
    await acme.stop();
    await sandbox.stop();
  });

  it('is the one in docs (UPDATE_OPENAPI=1 writes it), and names what breaks callers', () => {
    if (process.env.UPDATE_OPENAPI === '1') writeFileSync(file, `${JSON.stringify(document, null, 2)}\n`);
    const committed: Document = JSON.parse(readFileSync(file, 'utf8'));
    expect(breakingChanges(committed, document)).toEqual([]);
    expect(document).toEqual(committed);
  });

  it('sees a field of an answer go and a field of a request become required', () => {
    const resolve = '/v1/identities/resolve';
    const changed: Json = structuredClone(document);
    const { ResolvedAnswer, ObservationDto } = changed.components.schemas;
    delete ResolvedAnswer.properties.outcome;
    ObservationDto.required.push('unionId');
    delete changed.paths['/v1/stats'];
    const found = breakingChanges(document, changed);
    expect(found).toContain(`gone: POST ${resolve} 200.outcome`);
    expect(found).toContain(`now required: POST ${resolve} body.unionId`);
    expect(found).toContain('gone: GET /v1/stats');
    expect(breakingChanges(document, document)).toEqual([]);
  });

  it(
    `holds for hostile requests on every route: no fault, no undocumented status, no other shape (SEED=${seed})`,
    async () => {
      const known = await knownValues(acme);
      const random = randomOf(seed);
      const routes = routesOf(document);
      const check = checker(document);
      const url = acme.apis[0]?.url ?? '';
      const total = shortOrWhole(1_500, 100_000);
      const wrong: string[] = [];
      const statuses: Record<string, number> = {};
      let sent = 0;
      const worker = async (): Promise<void> => {
        while (sent < total && wrong.length < 20) {
          const route = routes[(sent += 1) % routes.length];
          if (route === undefined) return;
          const request = hostileRequest(document, route, known, random);
          const answer = await send(url, request);
          statuses[answer.status] = (statuses[answer.status] ?? 0) + 1;
          const fault = check(route, answer);
          if (fault !== null) wrong.push(`${JSON.stringify(request).slice(0, 600)} -> ${answer.status}: ${fault}`);
        }
      };
      await Promise.all(Array.from({ length: 16 }, worker));
      expect(wrong).toEqual([]);
      // Were everything refused at the door, nothing behind it would have been tried.
      expect(statuses['200'] ?? 0).toBeGreaterThan(total / 20);
      expect(acme.apis[0]?.logs().filter(({ level }) => Number(level) >= 50)).toEqual([]);
      counted('hostile requests', { sent, seed, statuses });
    },
    shortOrWhole(600_000, 3_600_000),
  );
});

/** Values that lead somewhere, by the name of the parameter or field. */
async function knownValues(acme: Acme): Promise<Record<string, string[]>> {
  const people = await Promise.all(
    ['p1', 'p2', 'p3', 'p4'].map((openId, n) => acme.resolved(`a${n + 1}`, `openid-${openId}`, `unionid-${openId}`)),
  );
  const [one, other, third] = people.map(({ user }) => user.id);
  const merge = { targetUserId: one, sourceUserIds: [other], allowDifferentUnionIds: true, reason: 'spec' };
  const { results } = ok(await acme.operator.post('/v1/merges', merge)).body;
  await acme.login('a1', 'openid-p1', 'unionid-p3');
  const conflicts = ok(await acme.operator.get('/v1/conflicts')).body.items.map(({ id }: { id: string }) => id);
  const openIds = people.map(({ identity }) => identity.openId);
  const ids = [one, other, third].flatMap((id) => id ?? []);
  return {
    userId: ids,
    targetUserId: ids,
    sourceUserId: ids,
    userIds: ids,
    id: [...ids, results[0].mergeId, ...conflicts],
    ids,
    entityId: ['acme', 'acme', 'stranger'],
    openPlatformId: ['op1', 'op2'],
    appId: ['a1', 'a2', 'a3', 'a4', 'a0'],
    openId: openIds,
    unionId: ['unionid-p1', 'unionid-p2', 'fresh-unionid'],
    name: ['shop', 'campaign-1'],
    reason: ['because'],
    limit: ['1', '50', '200', '201'],
    status: ['open', 'merged', 'done'],
    provisional: ['true', 'false'],
    asOf: ['2026-01-01T00:00:00.000Z', new Date().toISOString()],
    observedAt: [new Date().toISOString(), '2026-01-01T00:00:00Z'],
    a: ['a1:openid-p1'],
    b: ['a2:openid-p2'],
    types: ['identity.UserLinked.v1'],
    participant: ['shop'],
    code: ['made-up-code'],
  };
}

interface RawAnswer {
  readonly status: number;
  readonly type: string;
  readonly text: string;
}

const agent = new Agent({ keepAlive: true, maxSockets: 32 });

/** Not through fetch, which would mend the paths that are meant to be broken. */
function send(url: string, { method, path, headers, body }: HostileRequest): Promise<RawAnswer> {
  const { hostname, port } = new URL(url);
  const authorization = `Bearer ${operatorKey}`;
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      { agent, hostname, port, method, path, headers: { ...headers, authorization } },
      (answer) => {
        const chunks: Buffer[] = [];
        answer.on('data', (chunk: Buffer) => chunks.push(chunk));
        answer.on('end', () =>
          resolve({
            status: answer.statusCode ?? 0,
            type: answer.headers['content-type'] ?? '',
            text: Buffer.concat(chunks).toString(),
          }),
        );
        answer.on('error', reject);
      },
    );
    request.on('error', reject);
    request.end(body);
  });
}

/** Null: all is well. */
function checker(document: Document): (route: Route, answer: RawAnswer) => string | null {
  const ajv = new Ajv({ strict: false, allErrors: false });
  addFormats.default(ajv);
  ajv.addSchema(document, 'api');
  const compiled = new Map<string, ValidateFunction>();
  const validator = (pointer: string): ValidateFunction => {
    const known = compiled.get(pointer) ?? ajv.compile({ $ref: `api#${pointer}` });
    compiled.set(pointer, known);
    return known;
  };
  return ({ method, path, operation }, { status, type, text }) => {
    const shown = text.slice(0, 300);
    // A path that was broken on purpose leads to no route at all.
    if (status === 404 && text.includes('"code":"not_found"')) return null;
    const response = operation.responses[String(status)];
    if (response === undefined) return `undocumented: ${shown}`;
    if (status >= 500 && !wechatCodes.some((code) => text.includes(`"${String(code)}"`))) return `a fault: ${shown}`;
    const media = type.split(';')[0] ?? '';
    if (status === 204 || media === 'text/plain') return null;
    if (response.content?.[media] === undefined) return `undocumented type ${media}: ${shown}`;
    const escaped = [path, method, 'responses', String(status), 'content', media, 'schema'].map((part) =>
      encodeURIComponent(part.replaceAll('~', '~0').replaceAll('/', '~1')),
    );
    const validate = validator(`/paths/${escaped.join('/')}`);
    return validate(JSON.parse(text)) ? null : `${ajv.errorsText(validate.errors)}: ${shown}`;
  };
}
