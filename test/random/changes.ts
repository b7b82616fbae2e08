import type { Answer, Http, Json } from '../harness/http.js';
import type { Said } from './said.js';

/** One change as a caller makes it. */
export interface Change {
  readonly what: string;
  readonly send: (api: Http) => Promise<Answer<Json>>;
}

interface Seen {
  readonly appId: string;
  readonly openId: string;
  readonly unionId: string;
}

const reason = 'random';
const nobody = '01900000-0000-7000-8000-000000000000';

/** Of everything that can be done to people, one thing to somebody. */
export function draw(random: (below: number) => number, identities: readonly Seen[], said: Said): Change {
  const pick = <T>(from: ReadonlySet<T> | readonly T[]): T | undefined =>
    [...from][random('size' in from ? from.size : from.length)];
  const user = (): string => pick(said.ids) ?? nobody;
  const seen = (): Seen => pick(identities) ?? { appId: 'a1', openId: 'open-0', unionId: 'union-0' };
  const { appId, openId, unionId } = seen();
  // One in ten says another unionId than the last time: a contradiction.
  const unionIdSaid = random(3) === 0 ? undefined : random(10) === 0 ? seen().unionId : unionId;
  const login = change('login', (api) => api.post('/v1/identities/resolve', { appId, openId, unionId: unionIdSaid }));
  const merge = (requireApproval: boolean): Change => {
    const parties = { targetUserId: user(), sourceUserIds: [user()] };
    const body = { ...parties, reason, requireApproval, allowDifferentUnionIds: random(2) === 0 };
    return change('merge', (api) => api.post('/v1/merges', body));
  };
  const body = { identities: [{ appId, openId }], reason };
  const all: readonly (() => Change)[] = [
    () => merge(false),
    () => merge(true),
    () => onOne('approve', pick(said.pendingIds), (id) => `/v1/merges/${id}/approve`),
    () => onOne('revert', pick(said.mergeIds), (id) => `/v1/merges/${id}/revert`),
    () => change('split', (api) => api.post(`/v1/users/${user()}/split`, body)),
    () => change('link', (api) => api.post('/v1/identities', { appId, openId, userId: user(), reason })),
    () => change('unlink', (api) => api.delete(`/v1/identities/${appId}/${openId}?reason=${reason}`)),
    () => change('separate', (api) => api.put('/v1/separations', { userIds: [user(), user()], reason })),
    () => {
      const decision = pick(['keep', 'merge', 'move_identity', 'rekey', 'separate']);
      return onOne('decide', pick(said.conflictIds), (id) => `/v1/conflicts/${id}/resolve`, { decision });
    },
    () => (random(3) === 0 ? change('erase', (api) => api.delete(`/v1/users/${user()}?reason=${reason}`)) : login),
  ];
  return random(5) < 2 ? login : (pick(all)?.() ?? login);
}

/** What is so already, asked for once more; and what is refused. `leads`: whom each id leads to. */
export function changesOfNothing(
  owners: ReadonlyMap<string, string>,
  leads: readonly Json[],
  events: readonly Json[],
  separated: readonly (readonly string[])[],
): readonly Change[] {
  const known = [...owners].map(([key, userId]) => ({ appId: key.slice(0, 2), openId: key.slice(3), userId }));
  const merged = leads.filter(({ status }) => status === 'merged');
  const happened = (name: string): Json[] => events.filter(({ type }) => type === `identity.${name}.v1`);
  const undone = happened('MergeReverted').flatMap(({ data }) => data.mergeId ?? []);
  return [
    ...known.map(({ appId, openId }) =>
      change('login', (api) => api.post('/v1/identities/resolve', { appId, openId })),
    ),
    ...known.map((body) => change('link', (api) => api.post('/v1/identities', { ...body, reason }))),
    ...merged.map(({ id, userId }) =>
      change('merge', (api) => api.post('/v1/merges', { targetUserId: userId, sourceUserIds: [id], reason })),
    ),
    ...merged.map(({ id }) => change('erase a merged one', (api) => api.delete(`/v1/users/${id}`))),
    ...undone.map((id) => onOne('revert', id, (one) => `/v1/merges/${one}/revert`)),
    ...happened('UserErased').map(({ subject }) => change('erase', (api) => api.delete(`/v1/users/${subject}`))),
    // Whoever was merged away since leads to another, of whom nobody has decided anything.
    ...separated
      .filter((userIds) => !merged.some(({ id }) => userIds.includes(id)))
      .map((userIds) => change('separate', (api) => api.put('/v1/separations', { userIds, reason }))),
    ...[...new Set(owners.values())].map((id) => {
      const identities = known.filter(({ userId }) => userId === id).map(({ appId, openId }) => ({ appId, openId }));
      return change('split', (api) => api.post(`/v1/users/${id}/split`, { identities, reason }));
    }),
  ];
}

function change(what: string, send: Change['send']): Change {
  return { what, send };
}

function onOne(what: string, id: string | undefined, path: (id: string) => string, more: object = {}): Change {
  return change(what, (api) => api.post(path(id ?? nobody), { reason, ...more }));
}
