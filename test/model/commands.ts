import type fc from 'fast-check';
import type { Answer, Json } from '../harness/http.js';
import type { Refused, SourceResult } from './change.js';
import { erase, link, merge, revert, separate, split, unlink } from './change.js';
import { decide, type Decision, opponentOf } from './decide.js';
import type { People } from './people.js';
import { resolve } from './resolve.js';
import { asRef, same, type Service } from './service.js';

/**
 * What people do to the service, each done to the model and the service alike; their answers must agree. Whom it is done to
 * is a number that is counted round those there are.
 */

export type Command = fc.AsyncCommand<People, Service>;

interface Deed {
  readonly name: string;
  /** Is there anything to do it to? */
  readonly check?: (people: People) => boolean;
  readonly run: (people: People, service: Service) => Promise<void>;
}

function command({ name, check, run }: Deed): Command {
  return {
    // What a command may look at is all of the model.
    check: (people) => check?.(people as People) ?? true,
    run: async (people, service) => {
      await run(people, service);
      await service.expectLookUps(people);
    },
    toString: () => name,
  };
}

const at = <T>(from: readonly T[], index: number): T => {
  const found = from[index % from.length];
  if (found === undefined) throw new Error('there is nothing to choose from');
  return found;
};
const anyone = (people: People, index: number): string => at(people.persons, index).name;
const hasPersons = (people: People): boolean => people.persons.length > 0;
const reason = 'model';

const statuses: Readonly<Record<string, number>> = {
  invalid_request: 400,
  identity_not_found: 404,
  user_erased: 410,
};

function expectRefused(service: Service, refused: Refused, { status, body }: Answer<Json>, statusOf = statuses): void {
  same([refused.code, status], [body.code, statusOf[refused.code] ?? 409]);
  if (refused.mergedInto !== undefined) service.expectIs(refused.mergedInto, body.mergedInto);
  if (refused.blocking !== undefined) service.expectIs(refused.blocking, body.blockingMergeId);
  if (refused.owner !== undefined) service.expectIs(refused.owner, body.ownerUserId);
  if (refused.results !== undefined) expectResults(service, refused.results, body.results);
}

function expectResults(service: Service, expected: readonly SourceResult[], shown: readonly Json[]): void {
  same(
    shown.map(({ outcome, code }) => [outcome, code]),
    expected.map(({ outcome, code }) => [outcome, code]),
  );
  for (const [index, { source, into, merge: made }] of expected.entries()) {
    service.expectIs(source, shown[index].sourceUserId);
    if (into !== undefined) service.expectIs(into, shown[index].mergedInto);
    if (made !== undefined) service.expectIs(made, shown[index].mergeId);
  }
}

export const resolveSeen = (who: number, which: number | null): Command =>
  command({
    name: `resolve ${who} ${which}`,
    run: async (people, service) => {
      const identity = at(service.identities, who);
      const unionId = which === null ? null : at(service.unionIds, which);
      const answer = await service.api().post('/v1/identities/resolve', { ...asRef(identity), unionId });
      const expected = resolve(people, identity, unionId);
      same([answer.status, answer.body.outcome], [200, expected.outcome]);
      service.expectUser(people, people.person(expected.user), answer.body.user);
      service.expectIs(expected.previous, answer.body.previousUserId);
      service.expectIs(expected.conflict, answer.body.conflictId);
      const merged = people.merges.at(-1);
      if (expected.outcome === 'merged' && merged !== undefined)
        await service.mergeId(merged.name, merged.source, merged.target);
    },
  });

export interface Wish {
  readonly to: number;
  readonly from: readonly number[];
  readonly allowDifferent: boolean;
  readonly all: boolean;
}

export const mergeUsers = ({ to, from, allowDifferent, all }: Wish): Command =>
  command({
    name: `merge ${from.join('+')} into ${to}${allowDifferent ? ', different unionIds too' : ''}${all ? ', all' : ''}`,
    check: hasPersons,
    run: async (people, service) => {
      const target = anyone(people, to);
      const sources = from.map((one) => anyone(people, one));
      const answer = await service.api().post('/v1/merges', {
        targetUserId: service.idOf(target),
        sourceUserIds: sources.map((source) => service.idOf(source)),
        allowDifferentUnionIds: allowDifferent,
        mode: all ? 'all' : 'each',
        reason,
      });
      const expected = merge(people, { target, sources, allowDifferent, all });
      if ('code' in expected) expectRefused(service, expected, answer);
      else expectResults(service, expected.results, answer.body.results);
    },
  });

export const revertMerge = (which: number): Command =>
  command({
    name: `revert ${which}`,
    check: (people) => people.merges.length > 0,
    run: async (people, service) => {
      const { name, source, target } = at(people.merges, which);
      const answer = await service.api().post(`/v1/merges/${service.idOf(name)}/revert`, { reason });
      const expected = revert(people, name);
      // The contract: a merge of an erased user cannot be reverted, 409.
      if ('code' in expected) expectRefused(service, expected, answer, {});
      else {
        same(answer.body.outcome, expected.outcome);
        service.expectIs(name, answer.body.mergeId);
        service.expectIs(source, answer.body.sourceUserId);
        service.expectIs(target, answer.body.targetUserId);
      }
    },
  });

export const splitUser = (who: number, what: readonly number[], own: boolean): Command =>
  command({
    name: `split ${what.join('+')} ${own ? '' : 'of anybody '}off ${who}`,
    check: hasPersons,
    run: async (people, service) => {
      const user = anyone(people, who);
      const held = people.identitiesOf(user);
      const choice = own && held.length > 0 ? held : service.identities;
      const leaving = [...new Set(what.map((one) => at(choice, one)))];
      const body = { identities: leaving.map(asRef), reason };
      const answer = await service.api().post(`/v1/users/${service.idOf(user)}/split`, body);
      const expected = split(people, user, leaving);
      if ('code' in expected) expectRefused(service, expected, answer);
      else service.expectUser(people, people.person(expected.user), answer.body);
    },
  });

export const linkByHand = (what: number, who: number): Command =>
  command({
    name: `link ${what} to ${who}`,
    check: hasPersons,
    run: async (people, service) => {
      const [identity, user] = [at(service.identities, what), anyone(people, who)];
      const body = { ...asRef(identity), userId: service.idOf(user), reason };
      const answer = await service.api().post('/v1/identities', body);
      const expected = link(people, identity, user);
      if ('code' in expected) expectRefused(service, expected, answer);
      else same(answer.status, expected.created ? 201 : 200);
    },
  });

export const unlinkByHand = (what: number): Command =>
  command({
    name: `unlink ${what}`,
    run: async (people, service) => {
      const identity = at(service.identities, what);
      const { appId, openId } = asRef(identity);
      const answer = await service.api().delete(`/v1/identities/${appId}/${openId}?reason=${reason}`);
      const expected = unlink(people, identity);
      if ('code' in expected) expectRefused(service, expected, answer);
      else service.expectUser(people, people.person(expected.user), answer.body.user);
    },
  });

export const separateUsers = (one: number, other: number): Command =>
  command({
    name: `separate ${one} from ${other}`,
    check: hasPersons,
    run: async (people, service) => {
      const [a, b] = [anyone(people, one), anyone(people, other)];
      const body = { userIds: [service.idOf(a), service.idOf(b)], reason };
      const answer = await service.api().put('/v1/separations', body);
      const expected = separate(people, a, b);
      if ('code' in expected) expectRefused(service, expected, answer);
      else same(answer.status, expected.created ? 201 : 200);
    },
  });

/** Found again as a client does: by the merge that it refuses. */
export const removeSeparation = (which: number): Command =>
  command({
    name: `remove separation ${which}`,
    check: (people) => separable(people).length > 0,
    run: async (people, service) => {
      const pair = at(separable(people), which);
      const [a, b] = [people.leader(pair.a).name, people.leader(pair.b).name];
      const body = { targetUserId: service.idOf(a), sourceUserIds: [service.idOf(b)], reason };
      const [refused] = (await service.api().post('/v1/merges', body)).body.results;
      same(refused.code, 'separated');
      same((await service.api().delete(`/v1/separations/${refused.separationId}`)).status, 204);
      people.separations.splice(people.separations.indexOf(pair), 1);
    },
  });

/** Those between two live users who are kept apart by nothing else. */
const separable = (people: People) =>
  people.separations.filter(({ a, b }) => {
    const [one, other] = [people.leader(a), people.leader(b)];
    const live = one.status === 'live' && other.status === 'live';
    return live && people.separationsOf(one.name, other.name).length === 1;
  });

export const eraseUser = (who: number): Command =>
  command({
    name: `erase ${who}`,
    check: hasPersons,
    run: async (people, service) => {
      const user = anyone(people, who);
      const answer = await service.api().delete(`/v1/users/${service.idOf(user)}?reason=${reason}`);
      const expected = erase(people, user);
      if ('code' in expected) expectRefused(service, expected, answer);
      else {
        same(answer.status, 202);
        service.expectIs(`erasure of ${user}`, answer.body.erasureId);
      }
    },
  });

export const decideConflict = (which: number, decision: Decision): Command =>
  command({
    name: `decide ${which} as ${decision}`,
    check: (people) => {
      if (people.conflicts.length === 0) return false;
      const conflict = at(people.conflicts, which);
      // Whom it would be carried out against where nobody owns the unionId is not promised.
      return decision === 'keep' || decision === 'rekey' || opponentOf(people, conflict) !== null;
    },
    run: async (people, service) => {
      const { name } = at(people.conflicts, which);
      const body = { decision, reason };
      const answer = await service.api().post(`/v1/conflicts/${service.idOf(name)}/resolve`, body);
      const expected = decide(people, name, decision);
      if ('code' in expected) {
        expectRefused(service, expected, answer);
        return;
      }
      same([answer.status, answer.body.decision], [200, decision]);
      const merged = people.merges.at(-1);
      if (expected.merge !== null && merged !== undefined)
        await service.mergeId(merged.name, merged.source, merged.target);
    },
  });
