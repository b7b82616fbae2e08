import type { LinkedIdentity } from '#events';
import type { HeldIdentity, HeldUser, Origin, World } from '../change/world.js';
import { known } from '../change/world.js';
import { fold } from '../change/fold.js';
import { Refusal } from '../problem.js';
import type { Observation } from './observation.dto.js';
import type { ConflictKind, Pace, UnusableReason } from './resolve.decision.js';
import { decideResolve, likelyCauses, tooFastCause } from './resolve.decision.js';

export type Outcome = 'created' | 'linked' | 'keyed' | 'merged' | 'unchanged' | 'conflict';

export interface ResolveResult {
  readonly outcome: Outcome;
  readonly user: {
    readonly id: string;
    readonly entityId: string;
    readonly status: 'live';
    readonly version: number;
    readonly createdAt: string;
    readonly unionIds: readonly { readonly openPlatformId: string; readonly unionId: string }[];
  };
  readonly identity: { readonly appId: string; readonly openId: string; readonly linkedAt: string };
  /** The user folded away, where the outcome is `merged`. */
  readonly previousUserId: string | null;
  readonly conflictId: string | null;
}

/** An observation with what the registry says of its app. */
export interface PlacedObservation extends Observation {
  readonly entityId: string;
  /** The account that gives the unionId its meaning at the time it was seen. */
  readonly openPlatformId: string | null;
  readonly formerOpenPlatformIds: readonly string[];
  /** Only where an earlier departure could matter: hex HMAC of the identity. */
  readonly fingerprint: string | null;
  readonly origin: Origin;
}

/** Sources that may confirm but never link: what only they supplied can be forged (WeChat facts, 4.1 and 7.2). */
const weakSources = new Set(['encrypted_data', 'client_claim']);

export function unusableReason(
  observation: Pick<PlacedObservation, 'source' | 'openPlatformId'>,
  leadsElsewhere: boolean,
): UnusableReason | null {
  if (observation.openPlatformId === null) return 'app_unbound';
  if (weakSources.has(observation.source)) return 'weak_source';
  return leadsElsewhere ? 'former_binding' : null;
}

export interface Limits {
  readonly identitiesPerUserMax: number;
  readonly identitiesPerUserPerHourMax: number;
}

const hourMs = 3_600_000;

/** Of the one who would gain. An import brings in minutes what years have gathered: its pace says nothing. */
function paceOf(world: World, keyOwner: HeldUser, limits: Limits, { cause }: Origin): Pace | null {
  const { identitiesPerUserPerHourMax: max } = limits;
  if (max === 0 || cause === 'import') return null;
  const since = new Date(Date.parse(world.now) - hourMs).toISOString();
  return { since, max, isHeld: world.gathersTooMany(keyOwner) };
}

/** Applies the decision table to one observation; later ones of the same set see what this one changed. */
export function resolveOne(world: World, observation: PlacedObservation, limits: Limits): ResolveResult {
  const { appId, openId, unionId, entityId, openPlatformId, origin } = observation;
  refuseStale(world, observation);
  const owner = world.ownerOf(appId, openId);
  const replacement = owner === undefined ? world.replacementOf(appId, openId) : null;
  if (replacement !== null)
    return result('unchanged', replacement.user, { appId, openId, linkedAt: replacement.linkedAt });
  const keyOwner =
    unionId === null || openPlatformId === null ? undefined : world.keyOwner(entityId, openPlatformId, unionId);
  const former =
    unionId !== null &&
    keyOwner === undefined &&
    observation.formerOpenPlatformIds.some((account) => world.keyOwner(entityId, account, unionId) !== undefined);
  const unusable = unionId === null ? null : unusableReason(observation, former);
  const decision = decideResolve({
    appId,
    openPlatformId,
    unionId,
    unusable,
    owner: owner === undefined ? null : known(owner),
    keyOwner: keyOwner === undefined ? null : known(keyOwner),
    separated: owner !== undefined && keyOwner !== undefined && world.areSeparated(owner.id, keyOwner.id),
    identitiesPerUserMax: limits.identitiesPerUserMax,
    pace: keyOwner === undefined ? null : paceOf(world, keyOwner, limits, origin),
  });
  const evidence = evidenceOf(world, observation);
  const finding = unusable === null ? null : { unionId, reason: unusable };

  switch (decision.kind) {
    case 'create':
    case 'create_in_conflict': {
      const user = world.create(entityId, observation.firstSeenAt?.toISOString());
      const via = decision.kind === 'create' && decision.withKey ? keyOf(observation) : null;
      const identity = world.link(user, observation, via);
      if (via !== null) world.attachKey(user, via.openPlatformId, via.unionId);
      world.step(user, 'identity.UserLinked.v1', linkedBy(identity, true), origin, evidence);
      if (decision.kind === 'create_in_conflict')
        return contradicted(world, observation, user, identity, keyOwner, decision);
      keepFinding(world, identity, finding, observation);
      return result('created', user, identity);
    }
    case 'link': {
      const user = required(keyOwner);
      const identity = world.link(user, observation, keyOf(observation));
      if (observation.firstSeenAt) world.makeAsOldAs(user, observation.firstSeenAt.toISOString());
      world.step(user, 'identity.UserLinked.v1', linkedBy(identity, false), origin, evidence);
      return result('linked', user, identity);
    }
    case 'unchanged': {
      const user = required(owner);
      const identity = held(user, observation);
      keepFinding(world, identity, finding, observation);
      return result('unchanged', user, identity);
    }
    case 'attach_key':
      return keyed(world, observation, required(owner), evidence);
    case 'merge':
      return merged(world, observation, required(owner), required(keyOwner), evidence);
    case 'conflict': {
      const user = required(owner);
      return contradicted(world, observation, user, held(user, observation), keyOwner, decision);
    }
  }
}

/** P1: the owner of the unionId survives, whatever the age of the other. */
function merged(
  world: World,
  observation: PlacedObservation,
  source: HeldUser,
  target: HeldUser,
  evidence: object,
): ResolveResult {
  const { origin } = observation;
  const identity = held(source, observation);
  world.keep(identity, null, null, world.now);
  const options = {
    mergeId: world.newId(),
    automatic: true,
    evidence,
    requestedBy: origin.actor,
    requestedAt: world.now,
  };
  fold(world, source, target, options, { ...origin, reason: 'WeChat gave both the same unionId' });
  overtakeConflicts(world, observation);
  return { ...result('merged', target, identity), previousUserId: source.id };
}

/** The late unionId: the user keeps its id and can be found by it from now on. */
function keyed(world: World, observation: PlacedObservation, user: HeldUser, evidence: object): ResolveResult {
  const identity = held(user, observation);
  const key = keyOf(observation);
  world.attachKey(user, key.openPlatformId, key.unionId);
  world.keep(identity, null, null, world.now);
  world.step(user, 'identity.UserKeyed.v1', key, observation.origin, evidence);
  overtakeConflicts(world, observation);
  return result('keyed', user, identity);
}

function linkedBy(identity: HeldIdentity, created: boolean): object {
  const { appId, openId, linkedAt } = identity;
  return { identity: { appId, openId, linkedAt }, created, previousUserId: null };
}

/** P2 and P3: the login is answered with the owner, nothing moves, and the contradiction is kept for a human. */
function contradicted(
  world: World,
  observation: PlacedObservation,
  user: HeldUser,
  identity: HeldIdentity,
  other: HeldUser | undefined,
  { conflict: kind, isTooFast }: { readonly conflict: ConflictKind; readonly isTooFast?: true },
): ResolveResult {
  const { unionId, openPlatformId, appId, openId, entityId, origin } = observation;
  world.keep(identity, unionId, kind, (observation.observedAt ?? new Date(world.now)).toISOString());
  const conflictId = world.openConflict(
    {
      kind,
      entityId,
      appId,
      openId,
      unionId: required(unionId),
      openPlatformId: required(openPlatformId),
      userIds: other === undefined ? [user.id] : [user.id, other.id],
      likelyCause: isTooFast === true ? tooFastCause : likelyCauses[kind],
      evidence: evidenceOf(world, observation),
    },
    origin,
  );
  return { ...result('conflict', user, identity), conflictId };
}

/** What contradicted this identity has become its own: nobody has to decide it any more. */
function overtakeConflicts(world: World, observation: PlacedObservation): void {
  const { appId, openId, unionId, entityId, origin } = observation;
  world.resolveConflicts(
    entityId,
    (conflict) => conflict.appId === appId && conflict.openId === openId && conflict.unionId === unionId,
    'overtaken',
    origin,
  );
}

function keepFinding(
  world: World,
  identity: HeldIdentity,
  finding: { readonly unionId: string | null; readonly reason: string } | null,
  observation: PlacedObservation,
): void {
  if (finding === null) return;
  const observedAt = (observation.observedAt ?? new Date(world.now)).toISOString();
  world.keep(identity, finding.unionId, finding.reason, observedAt);
}

/** P7: what was seen before the identity departed must not bring it back. */
function refuseStale(world: World, observation: PlacedObservation): void {
  if (observation.fingerprint === null || observation.observedAt === null) return;
  const departure = world.departure(observation.fingerprint);
  // Whoever was erased came back only if seen since; a list that names them as it did before says nothing new.
  const seenAt = (departure?.erased === true ? observation.firstSeenAt : null) ?? observation.observedAt;
  if (departure === undefined || seenAt.toISOString() > departure.at) return;
  throw new Refusal(
    'observation_stale',
    departure.erased
      ? 'the observation is older than the erasure of its identity: nothing was stored'
      : 'the observation is older than the unlinking of its identity: nothing was stored',
  );
}

function evidenceOf(world: World, observation: PlacedObservation): object {
  const { appId, openId, unionId, openPlatformId, source } = observation;
  const observedAt = observation.observedAt?.toISOString() ?? world.now;
  return { appId, openId, unionId, openPlatformId, source, observedAt };
}

function keyOf({ openPlatformId, unionId }: PlacedObservation): { openPlatformId: string; unionId: string } {
  return { openPlatformId: required(openPlatformId), unionId: required(unionId) };
}

function held(user: HeldUser, observation: PlacedObservation): HeldIdentity {
  return required(user.identities.find((one) => one.appId === observation.appId && one.openId === observation.openId));
}

function required<T>(value: T | null | undefined): T {
  if (value === null || value === undefined) throw new Error('the decision needs what the facts do not have');
  return value;
}

function result(outcome: Outcome, user: HeldUser, identity: LinkedIdentity): ResolveResult {
  const { appId, openId, linkedAt } = identity;
  return {
    outcome,
    user: {
      id: user.id,
      entityId: user.entityId,
      status: 'live',
      version: user.version,
      createdAt: user.createdAt,
      unionIds: user.unionKeys
        .filter((key) => key.retiredAt === null)
        .map(({ openPlatformId, unionId }) => ({ openPlatformId, unionId })),
    },
    identity: { appId, openId, linkedAt },
    previousUserId: null,
    conflictId: null,
  };
}
