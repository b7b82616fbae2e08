import { Injectable } from '@nestjs/common';
import type { MovedIdentityMemory, OpenImport, RetiredRow, StoredLine } from '#store';
import { Database, rememberReplacements, retireIdentities } from '#store';
import { fold } from '../change/fold.js';
import type { HeldIdentity, HeldUser, Origin, World } from '../change/world.js';
import { known } from '../change/world.js';
import type { ConflictKind } from '../resolve/resolve.decision.js';
import { differingAccounts, likelyCauses } from '../resolve/resolve.decision.js';
import { IdentitySettings } from '../settings.js';
import type { OpenIdLine } from './import-lines.js';
import type { OpenIdDecision } from './open-id.decision.js';
import { decideOpenId } from './open-id.decision.js';
import type { LineResult, Portion, PortionMaker } from './portion.js';
import { originOf } from './portion.js';

interface Ref {
  readonly appId: string;
  readonly openId: string;
}

interface Scene {
  readonly world: World;
  readonly job: OpenImport;
  readonly origin: Origin;
  readonly retired: RetiredRow[];
  readonly memory: MovedIdentityMemory[];
}

interface Parties {
  readonly line: number;
  readonly from: Ref;
  /** Where the new openId was itself replaced meanwhile: what stands for it. */
  readonly to: Ref;
  readonly holder: HeldUser | undefined;
  readonly owner: HeldUser | undefined;
  readonly openPlatformId: string | null;
}

/** WeChat's changeopenid result: after the transfer of an official account everybody has a new openId there. */
@Injectable()
export class OpenIdPortions implements PortionMaker {
  constructor(
    private readonly database: Database,
    private readonly settings: IdentitySettings,
  ) {}

  async make(job: OpenImport, lines: readonly StoredLine[]): Promise<Portion> {
    const contents = lines.map(({ content }) => content as OpenIdLine);
    const ids = [...new Set(contents.flatMap(({ oldAppId, newAppId }) => [oldAppId, newAppId]))];
    const rows = await this.database.prisma.app.findMany({
      where: { id: { in: ids }, entityId: job.entity_id },
      select: { id: true, openPlatformId: true },
    });
    const accountOf = new Map(rows.map(({ id, openPlatformId }) => [id, openPlatformId]));
    const identities = contents.flatMap(({ oldAppId, oldOpenId, newAppId, newOpenId }) => [
      { appId: oldAppId, openId: oldOpenId },
      { appId: newAppId, openId: newOpenId },
    ]);
    return {
      wanted: { identities },
      decide: async (world, transaction) => {
        const scene: Scene = { world, job, origin: originOf(job, 'migration'), retired: [], memory: [] };
        const results = lines.map(({ line, content }) => this.apply(scene, line, content as OpenIdLine, accountOf));
        if (transaction !== null && scene.retired.length > 0) {
          await retireIdentities(transaction, job.entity_id, scene.retired, world.now);
          await rememberReplacements(transaction, scene.memory);
        }
        return results;
      },
    };
  }

  private apply(
    scene: Scene,
    line: number,
    content: OpenIdLine,
    accountOf: ReadonlyMap<string, string | null>,
  ): LineResult {
    if (!accountOf.has(content.oldAppId) || !accountOf.has(content.newAppId))
      return { code: 'app_not_found', message: 'no such app' };
    const { world } = scene;
    const from = { appId: content.oldAppId, openId: content.oldOpenId };
    const wanted = { appId: content.newAppId, openId: content.newOpenId };
    const standing = world.ownerOf(wanted.appId, wanted.openId) === undefined ? replacement(world, wanted) : null;
    const to = standing ?? wanted;
    const parties: Parties = {
      line,
      from,
      to,
      holder: world.ownerOf(from.appId, from.openId),
      owner: world.ownerOf(to.appId, to.openId),
      openPlatformId: accountOf.get(content.newAppId) ?? null,
    };
    const decision = this.decide(world, parties);
    return carryOut(scene, parties, decision);
  }

  private decide(world: World, { from, to, holder, owner, openPlatformId }: Parties): OpenIdDecision {
    const before = replacement(world, from);
    const isThis = before !== null && before.appId === to.appId && before.openId === to.openId;
    return decideOpenId({
      holder: holder === undefined ? null : { ...known(holder), createdAt: holder.createdAt },
      owner: owner === undefined ? null : { ...known(owner), createdAt: owner.createdAt },
      replacedBefore: before === null ? null : isThis ? 'by_the_new' : 'by_another',
      openPlatformId,
      separated: holder !== undefined && owner !== undefined && world.areSeparated(holder.id, owner.id),
      identitiesPerUserMax: this.settings.identitiesPerUserMax,
    });
  }
}

function replacement(world: World, { appId, openId }: Ref): Ref | null {
  const found = world.replacementOf(appId, openId);
  return found === null ? null : { appId: found.appId, openId: found.openId };
}

function carryOut(scene: Scene, parties: Parties, decision: OpenIdDecision): LineResult {
  const { holder, owner } = parties;
  if (decision.kind === 'refused') {
    if (decision.conflict !== null && holder !== undefined && owner !== undefined)
      contradict(scene, parties, decision.conflict, holder, owner);
    return { code: decision.code, message: decision.message };
  }
  if (decision.kind === 'unchanged' || holder === undefined) return { outcome: 'unchanged' };
  if (decision.kind !== 'merge' || owner === undefined) {
    rekey(scene, parties, holder, decision.kind === 'replace');
    return { outcome: 'rekeyed' };
  }
  const [source, target] = decision.survivor === 'owner' ? [holder, owner] : [owner, holder];
  join(scene, parties, source, target);
  rekey(scene, parties, target, false);
  return { outcome: 'merged' };
}

function rekey(scene: Scene, { line, from, to }: Parties, user: HeldUser, isNew: boolean): void {
  const { world, job, origin } = scene;
  const identity = heldBy(user, from);
  if (isNew) world.replace(identity, user, to, 'changeopenid');
  else world.unlink(identity, user);
  scene.retired.push(world.retire(identity, to));
  scene.memory.push({ userId: user.id, from, to: { ...to, linkedAt: heldBy(user, to).linkedAt } });
  world.step(user, 'identity.IdentityRekeyed.v1', { from, to }, origin, { importId: job.id, line });
}

function heldBy(user: HeldUser, { appId, openId }: Ref): HeldIdentity {
  const identity = user.identities.find((one) => one.appId === appId && one.openId === openId);
  if (identity === undefined) throw new Error('an owned identity is held by its owner');
  return identity;
}

function join({ world, job, origin }: Scene, { line }: Parties, source: HeldUser, target: HeldUser): void {
  fold(
    world,
    source,
    target,
    {
      mergeId: world.newId(),
      automatic: true,
      evidence: { importId: job.id, line },
      requestedBy: origin.actor,
      requestedAt: world.now,
    },
    { ...origin, reason: 'WeChat gave the person a new openId that another user holds' },
  );
}

function contradict(
  { world, job, origin }: Scene,
  { line, from, to, openPlatformId }: Parties,
  kind: ConflictKind,
  holder: HeldUser,
  owner: HeldUser,
): void {
  const differing = differingAccounts(known(holder), known(owner));
  const account = openPlatformId !== null && differing.includes(openPlatformId) ? openPlatformId : differing[0];
  const key = holder.unionKeys.find((one) => one.openPlatformId === account && one.retiredAt === null);
  world.openConflict(
    {
      kind,
      entityId: job.entity_id,
      ...to,
      unionId: key?.unionId ?? '',
      openPlatformId: key?.openPlatformId ?? '',
      userIds: [owner.id, holder.id],
      likelyCause: likelyCauses[kind],
      evidence: { importId: job.id, line, from, to },
    },
    origin,
  );
}
