import { type Database, freshDatabase } from './database.js';
import { type Answer, type Http, http } from './http.js';
import { type App, operatorKey, startApi } from './processes.js';

/** One entity with apps, and one or more API processes over one fresh database. */

export interface User {
  readonly id: string;
  readonly version: number;
  readonly createdAt: string;
  readonly unionIds: readonly { readonly openPlatformId: string; readonly unionId: string }[];
  readonly identities?: readonly { readonly appId: string; readonly openId: string }[];
}

export interface Resolved {
  readonly outcome: string;
  readonly user: User;
  readonly identity: { readonly appId: string; readonly openId: string; readonly linkedAt: string };
  readonly previousUserId: string | null;
  readonly conflictId: string | null;
}

export interface Acme {
  readonly database: Database;
  readonly apis: readonly App[];
  /** The operator, at the first API. */
  readonly operator: Http;
  /** The operator at any of the APIs, in turn. */
  anyone(): Http;
  login(appId: string, openId: string, unionId?: string | null): Promise<Answer<Resolved>>;
  /** The same, and the answer must be 200. */
  resolved(appId: string, openId: string, unionId?: string | null): Promise<Resolved>;
  user(id: string): Promise<Answer<User>>;
  putApp(appId: string, openPlatformId: string | null, kind?: string): Promise<void>;
  stop(): Promise<void>;
}

export async function startAcme(options: { apis?: number; env?: Record<string, string> } = {}): Promise<Acme> {
  const database = await freshDatabase();
  const env = options.env ?? {};
  const apis = await Promise.all(
    Array.from({ length: options.apis ?? 1 }, () => startApi({ databaseUrl: database.url, env })),
  );
  return startAcmeOn(database, apis);
}

/** The same, over what runs already. */
export async function startAcmeOn(database: Database, apis: readonly App[]): Promise<Acme> {
  const clients = apis.map((api) => http(api.url, operatorKey));
  const [operator] = clients;
  if (operator === undefined) throw new Error('at least one API');
  let turn = 0;
  const anyone = (): Http => clients[(turn += 1) % clients.length] ?? operator;
  const putApp = async (appId: string, openPlatformId: string | null, kind = 'mini_program'): Promise<void> => {
    ok(await operator.put(`/v1/entities/acme/apps/${appId}`, { kind, name: appId, openPlatformId }));
  };
  ok(await operator.put('/v1/entities/acme', { name: 'Acme' }));
  for (const id of ['op1', 'op2']) ok(await operator.put(`/v1/entities/acme/open-platforms/${id}`, { name: id }));
  for (const id of ['a1', 'a2', 'a3', 'a4']) await putApp(id, 'op1');
  await putApp('a9', 'op2');
  await putApp('a0', null);
  const login = (appId: string, openId: string, unionId?: string | null): Promise<Answer<Resolved>> =>
    anyone().post<Resolved>('/v1/identities/resolve', {
      appId,
      openId,
      ...(unionId === undefined ? {} : { unionId }),
    });
  return {
    database,
    apis,
    operator,
    anyone,
    login,
    resolved: async (...observation) => ok(await login(...observation)).body,
    user: (id) => anyone().get<User>(`/v1/users/${id}`),
    putApp,
    stop: async () => {
      await Promise.all(apis.map((api) => api.stop()));
      await database.drop();
    },
  };
}

export function ok<T>(answer: Answer<T>): Answer<T> {
  if (answer.status >= 300) throw new Error(`${answer.status} ${JSON.stringify(answer.body)}`);
  return answer;
}

/** What must hold whenever it is quiet (contract, G1–G4, G7, G10), asked of the tables. Empty: all of it holds. */
export async function brokenInvariants(database: Database): Promise<readonly object[]> {
  return database.query<{ rule: string; id: string }>(`
    SELECT 'G1 an identity of a user that is not live' AS rule, i.app_id || ':' || i.open_id AS id
      FROM identity i LEFT JOIN users u ON u.id = i.user_id WHERE u.status IS DISTINCT FROM 'live'
    UNION ALL SELECT 'G2 a union key of a user that is not live', k.union_id
      FROM union_key k LEFT JOIN users u ON u.id = k.user_id WHERE u.status IS DISTINCT FROM 'live'
    UNION ALL SELECT 'G3 a merged id that leads nowhere, or to another merged one', u.id::text
      FROM users u LEFT JOIN redirect r ON r.user_id = u.id LEFT JOIN users t ON t.id = r.target_id
      WHERE u.status = 'merged' AND (t.status IS NULL OR t.status = 'merged' OR t.entity_id <> u.entity_id)
    UNION ALL SELECT 'G3 a redirect of a user that is not merged', r.user_id::text
      FROM redirect r JOIN users u ON u.id = r.user_id WHERE u.status <> 'merged'
    UNION ALL SELECT 'G7 a gap or repeat of versions', u.id::text
      FROM users u WHERE u.version <> (SELECT count(*) FROM journal j WHERE j.user_id = u.id AND j.version IS NOT NULL)
        OR u.version <> (SELECT max(j.version) FROM journal j WHERE j.user_id = u.id)
    UNION ALL SELECT 'G7 versions out of journal order', j.user_id::text
      FROM journal j JOIN journal later ON later.user_id = j.user_id AND later.version > j.version AND later.id < j.id
    -- Only an undone merge may leave a user without one: what was unlinked since stays unlinked.
    UNION ALL SELECT 'a live user without an identity', u.id::text
      FROM users u WHERE u.status = 'live' AND NOT EXISTS (SELECT FROM identity i WHERE i.user_id = u.id)
        AND NOT EXISTS (SELECT FROM merge m WHERE m.status = 'reverted' AND u.id IN (m.source_user_id, m.target_user_id))
    UNION ALL SELECT 'the last event does not show the user as it is', u.id::text
      FROM users u JOIN journal j ON j.user_id = u.id AND j.version = u.version
      WHERE u.status = 'live' AND (
        (SELECT coalesce(jsonb_agg(i.app_id || ':' || i.open_id ORDER BY i.app_id COLLATE "C", i.open_id COLLATE "C"), '[]') FROM identity i WHERE i.user_id = u.id)
        <> (SELECT coalesce(jsonb_agg(x ->> 'appId' || ':' || (x ->> 'openId') ORDER BY x ->> 'appId' COLLATE "C", x ->> 'openId' COLLATE "C"), '[]')
            FROM json_array_elements(j.data -> 'user' -> 'identities') x))`);
}
