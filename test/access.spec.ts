import { contractScopes } from './access/contract-scopes.js';
import { makePossessions, type Possessions } from './access/possessions.js';
import { type Acme, ok, startAcme } from './harness/acme.js';
import type { Answer, Http, Json } from './harness/http.js';

interface Route {
  /** As in `GET /v1/users/{userId}`. */
  readonly name: string;
  readonly method: 'get' | 'put' | 'post' | 'delete';
  readonly path: string;
  readonly scope: string;
}

const scopes = ['ingest', 'read', 'merge', 'admin'];
const nobody = '01900000-0000-7000-8000-000000000000';
/** They answer a stranger about each thing asked for, and say of everything of ours that it is unknown. */
const answersPerItem: Readonly<Record<string, (possessions: Possessions) => Json>> = {
  'POST /v1/identities/resolve/batch': () => ({ items: [{ appId: 'a1', openId: 'mine-openid-one' }] }),
  'POST /v1/identities/lookup': () => ({ identities: [{ appId: 'a1', openId: 'mine-openid-one' }] }),
  'POST /v1/users/lookup': ({ parameter }) => ({ ids: [parameter['userId']] }),
};

const refuses = (status: number, code: string) => (answer: Answer<Json>) =>
  answer.status === status && answer.body?.code === code;

function hidden({ body }: Answer<Json>, { marks }: Possessions): boolean {
  const text = JSON.stringify(body ?? null);
  return marks.every((mark) => !text.includes(mark));
}

/** What a key of another entity must get, when it asks for what is ours. */
function keepsFromStranger(answer: Answer<Json>, { name, path, scope }: Route, mine: Possessions): boolean {
  if (scope === 'operator') return refuses(403, 'forbidden')(answer);
  const perItem = answersPerItem[name];
  if (perItem !== undefined) return answer.status === 200 && /unknown|app_not_found/.test(JSON.stringify(answer.body));
  const isAboutOne = path.includes('{') || name in mine.bodies || name in mine.query;
  if (isAboutOne && (name.startsWith('GET') || name.startsWith('DELETE') || name in mine.bodies))
    return answer.status === 404;
  if (name.startsWith('GET')) return answer.status === 200 && hidden(answer, mine);
  // A route this table does not know: what it needs is not said here, but nothing may come of it.
  return answer.status >= 400 && answer.status < 500 && answer.status !== 401;
}

/** Every route of the served document, times everybody who may not: a new route is in the table by being there. */
describe('Access', () => {
  let acme: Acme;
  let mine: Possessions;
  let routes: readonly Route[];
  let guarded: readonly Route[];

  beforeAll(async () => {
    acme = await startAcme({ apis: 1 });
    ok(await acme.operator.put('/v1/entities/other', { name: 'Other' }));
    mine = await makePossessions(acme);
    const { paths } = ok(await acme.operator.get('/openapi.json')).body;
    routes = Object.entries(paths as Record<string, Record<string, Json>>).flatMap(([path, operations]) =>
      Object.entries(operations).map(([method, operation]) => ({
        name: `${method.toUpperCase()} ${path}`,
        method: method as Route['method'],
        path,
        scope: operation['x-scope'],
      })),
    );
    guarded = routes.filter(({ scope }) => scope !== 'public');
  });
  afterAll(() => acme.stop());

  const keyOf = async (entityId: string | undefined, having: readonly string[], more: object = {}): Promise<Json> =>
    ok(await acme.operator.post('/v1/api-keys', { entityId, name: 'k', scopes: having, ...more })).body;

  function pathOf({ path }: Route, parameter: (name: string) => string | undefined): string {
    return path.replaceAll(/\{(\w+)\}/g, (_all, name: string) => {
      const value = parameter(name === 'id' ? (path.split('/')[2] ?? '') : name);
      return encodeURIComponent(value ?? nobody);
    });
  }
  function ask(by: Http, route: Route, path: string, body: Json): Promise<Answer<Json>> {
    return route.method === 'put' || route.method === 'post' ? by[route.method](path, body) : by[route.method](path);
  }
  /** All the routes that answer otherwise than they must, for one look at what is wrong. */
  async function wrongOf(
    asked: readonly Route[],
    request: (route: Route) => Promise<Answer<Json>>,
    isRight: (answer: Answer<Json>, route: Route) => boolean,
  ): Promise<string[]> {
    expect(asked.length).toBeGreaterThan(40);
    const answers = await Promise.all(asked.map(async (route) => ({ route, answer: await request(route) })));
    return answers
      .filter(({ route, answer }) => !isRight(answer, route))
      .map(({ route, answer }) => `${route.name}: ${answer.status} ${JSON.stringify(answer.body)}`.slice(0, 300));
  }
  const toNothing = (by: Http) => (route: Route) =>
    ask(
      by,
      route,
      pathOf(route, () => undefined),
      {},
    );

  const readOwn = (own: Http, route: Route): Promise<Answer<Json>> =>
    own.get(`${pathOf(route, (name) => mine.parameter[name])}${mine.query[route.name] ?? ''}`);

  it('needs the scope that the contract says, and every route says one', () => {
    const byName = new Map(routes.map(({ name, scope }) => [name, scope]));
    for (const [scope, names] of Object.entries(contractScopes))
      for (const name of names) expect([name, byName.get(name)]).toEqual([name, scope]);
    for (const { name, scope } of routes)
      expect([name, [...scopes, 'operator', 'public'].includes(scope)]).toEqual([name, true]);
    const open = routes.filter(({ scope }) => scope === 'public').map(({ name }) => name);
    expect(new Set(open)).toEqual(new Set(contractScopes['public']));
  });

  it('is refused without a key, with a wrong one, an expired one and a revoked one', async () => {
    const expired = await keyOf('acme', scopes, { expiresAt: new Date(Date.now() - 1_000).toISOString() });
    const revoked = await keyOf('acme', scopes);
    ok(await acme.operator.delete(`/v1/api-keys/${revoked.id}`));
    for (const key of [undefined, 'ulk_made-up', `${revoked.key}x`, expired.key, revoked.key])
      expect(await wrongOf(guarded, toNothing(acme.operator.as(key)), refuses(401, 'unauthenticated'))).toEqual([]);
  });

  it('is refused to a key that has every scope but the one, and given to a key that has the one alone', async () => {
    for (const scope of [...scopes, 'operator']) {
      const others = acme.operator.as(
        (
          await keyOf(
            'acme',
            scopes.filter((one) => one !== scope),
          )
        ).key,
      );
      const lacking = await wrongOf(
        guarded,
        (route) =>
          route.scope === scope
            ? toNothing(others)(route)
            : Promise.resolve({ status: 0, body: null, headers: new Headers() }),
        (answer, route) => route.scope !== scope || refuses(403, 'forbidden')(answer),
      );
      expect([scope, lacking]).toEqual([scope, []]);
      if (scope === 'operator') continue;
      const one = acme.operator.as((await keyOf('acme', [scope])).key);
      const shut = await wrongOf(guarded, toNothing(one), ({ status }, route) =>
        route.scope === scope ? status < 500 && status !== 401 && status !== 403 : status === 403,
      );
      expect([scope, shut]).toEqual([scope, []]);
    }
  });

  it('shows another entity nothing: what is ours is not there, and no list holds it', async () => {
    const stranger = acme.operator.as((await keyOf('other', scopes)).key);
    const request = (route: Route): Promise<Answer<Json>> => {
      const body = answersPerItem[route.name]?.(mine) ?? mine.bodies[route.name] ?? {};
      const path = pathOf(route, (name) => mine.parameter[name]);
      return ask(stranger, route, `${path}${mine.query[route.name] ?? ''}`, body);
    };
    expect(await wrongOf(guarded, request, (answer, route) => keepsFromStranger(answer, route, mine))).toEqual([]);
    // It is there for us, before and after: the 404 above was about who asked.
    const own = acme.operator.as((await keyOf('acme', scopes)).key);
    const shown = guarded.filter(({ name }) => name.startsWith('GET'));
    const unseen = await Promise.all(shown.map(async (route) => ({ route, answer: await readOwn(own, route) })));
    expect(unseen.filter(({ answer }) => answer.status !== 200).map(({ route }) => route.name)).toEqual([]);
  });
});
