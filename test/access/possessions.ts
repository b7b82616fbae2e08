import { type Acme, ok } from '../harness/acme.js';
import type { Json } from '../harness/http.js';

/** Things of the entity acme, one of each kind, and how a stranger would ask for them. */
export interface Possessions {
  /** What a parameter of a path may be; `{id}` is asked for with its collection, as in `merges`. */
  readonly parameter: Readonly<Record<string, string>>;
  /** What must not be seen by another entity. */
  readonly marks: readonly string[];
  readonly query: Readonly<Record<string, string>>;
  readonly bodies: Readonly<Record<string, Json>>;
}

export async function makePossessions(acme: Acme): Promise<Possessions> {
  const born = (openId: string, unionId?: string) => acme.resolved('a1', openId, unionId);
  const { operator } = acme;
  const [a, b] = [await born('mine-openid-one', 'mine-unionid-one'), await born('mine-openid-two', 'mine-unionid-two')];
  const [c, gone] = [await born('mine-openid-three'), await born('mine-openid-four')];
  const merge = { targetUserId: a.user.id, sourceUserIds: [c.user.id], reason: 'spec' };
  const mergeId = ok(await operator.post('/v1/merges', merge)).body.results[0].mergeId;
  const { conflictId } = ok(await acme.login('a1', 'mine-openid-two', 'mine-unionid-one')).body;
  const { erasureId } = ok(await operator.delete(`/v1/users/${gone.user.id}?reason=spec`)).body;
  const pair = { userIds: [a.user.id, b.user.id], reason: 'spec' };
  const separation = ok(await operator.put('/v1/separations', pair)).body;
  ok(await operator.put('/v1/participants/points', { entityId: 'acme', acknowledges: [] }));
  const key = ok(await operator.post('/v1/api-keys', { entityId: 'acme', name: 'mine', scopes: ['read'] })).body;
  const lines = { kind: 'identities', entityId: 'acme', items: [] };
  const imported = ok(await operator.post('/v1/imports', lines)).body;
  const answer = { participant: 'points', status: 'done' };
  const identity = { appId: 'a1', openId: 'mine-openid-one' };
  const app = { kind: 'mini_program', name: 'theirs' };
  return {
    parameter: {
      entityId: 'acme',
      openPlatformId: 'op1',
      appId: 'a1',
      openId: 'mine-openid-one',
      userId: a.user.id,
      name: 'points',
      merges: mergeId,
      conflicts: conflictId ?? '',
      erasures: erasureId,
      imports: imported.id,
      separations: separation.id,
      'api-keys': key.id,
    },
    marks: ['"acme"', 'mine-', a.user.id, b.user.id, mergeId, erasureId, key.id],
    query: {
      'GET /v1/users/{userId}/openid': '?appId=a1',
      'GET /v1/explain': '?a=a1:mine-openid-one&b=a1:mine-openid-two',
      'GET /v1/audit': '?entityId=acme',
    },
    bodies: {
      'PUT /v1/entities/{entityId}': { name: 'theirs' },
      'PUT /v1/entities/{entityId}/open-platforms/{openPlatformId}': { name: 'theirs' },
      'PUT /v1/entities/{entityId}/apps/{appId}': app,
      'POST /v1/api-keys': { entityId: 'acme', name: 'theirs', scopes: ['read'] },
      'POST /v1/api-keys/{id}/rotate': {},
      'POST /v1/identities/resolve': identity,
      'POST /v1/merges/preview': { targetUserId: a.user.id, sourceUserIds: [b.user.id] },
      'POST /v1/merges': { targetUserId: a.user.id, sourceUserIds: [b.user.id], reason: 'spec' },
      'POST /v1/merges/{id}/approve': {},
      'POST /v1/merges/{id}/reject': {},
      'POST /v1/merges/{id}/revert': { reason: 'spec' },
      'POST /v1/merges/{id}/acknowledgements': answer,
      'POST /v1/erasures/{id}/acknowledgements': answer,
      'POST /v1/conflicts/{id}/resolve': { decision: 'keep', reason: 'spec' },
      'POST /v1/users/{userId}/split': { identities: [identity], reason: 'spec' },
      'POST /v1/identities': { ...identity, userId: a.user.id, reason: 'spec' },
      'PUT /v1/separations': pair,
      'PUT /v1/participants/{name}': { entityId: 'acme', acknowledges: [] },
      'POST /v1/logins/mini-program': { appId: 'a1', code: 'a-code' },
      'POST /v1/logins/oauth': { appId: 'a1', code: 'a-code' },
      'POST /v1/logins/cloud-hosting': { appId: 'a1' },
      'POST /v1/apps/{appId}/paid-union-id': { openId: 'mine-openid-one', transactionId: '4200000000' },
      'POST /v1/imports': lines,
      'POST /v1/sessions/revocations': { userId: a.user.id },
    },
  };
}
