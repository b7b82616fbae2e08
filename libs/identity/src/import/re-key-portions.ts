import { Injectable } from '@nestjs/common';
import type { MovedMemory, OpenImport, StoredLine } from '#store';
import { Database, rememberRekeys } from '#store';
import { fold } from '../change/fold.js';
import type { HeldKey, HeldUser, Origin, World } from '../change/world.js';
import { known } from '../change/world.js';
import { IdentitySettings } from '../settings.js';
import type { RekeyLine } from './import-lines.js';
import type { LineResult, Portion, PortionMaker } from './portion.js';
import { originOf } from './portion.js';
import { sourceKeyOf, targetKeyOf, vacates } from './re-key-order.decision.js';
import type { RekeyDecision } from './re-key.decision.js';
import { decideRekey } from './re-key.decision.js';

/** One line as it stands before its unit is applied. */
interface Move {
  readonly line: number;
  readonly content: RekeyLine;
  readonly holder: HeldUser | undefined;
  readonly oldKey: HeldKey | undefined;
  readonly owner: HeldUser | undefined;
  readonly newKey: HeldKey | undefined;
}

interface Scene {
  readonly world: World;
  readonly job: OpenImport;
  readonly origin: Origin;
  readonly memory: MovedMemory[];
}

/** A re-key table, unit by unit: WeChat gave people other unionIds, in the account or in another. */
@Injectable()
export class RekeyPortions implements PortionMaker {
  constructor(
    private readonly database: Database,
    private readonly settings: IdentitySettings,
  ) {}

  async make(job: OpenImport, lines: readonly StoredLine[]): Promise<Portion> {
    const { entity_id: entityId } = job;
    const accounts = await this.database.prisma.openPlatform.findMany({ where: { entityId }, select: { id: true } });
    const isAccount = new Set(accounts.map(({ id }) => id));
    const contents = lines.map(({ content }) => content as RekeyLine);
    const unionKeys = contents.flatMap(({ openPlatformId, oldUnionId, newOpenPlatformId, newUnionId }) => [
      { entityId, openPlatformId, unionId: oldUnionId },
      { entityId, openPlatformId: newOpenPlatformId, unionId: newUnionId },
    ]);
    return {
      wanted: { unionKeys },
      decide: async (world, transaction) => {
        const scene: Scene = { world, job, origin: originOf(job, 'migration'), memory: [] };
        const results = new Map<number, LineResult>();
        for (const unit of unitsIn(lines)) this.apply(scene, unit, isAccount, results);
        if (transaction !== null && scene.memory.length > 0) await rememberRekeys(transaction, scene.memory);
        return lines.map(({ line }) => results.get(line) ?? { outcome: 'unchanged' });
      },
    };
  }

  private apply(
    scene: Scene,
    unit: readonly StoredLine[],
    isAccount: ReadonlySet<string>,
    results: Map<number, LineResult>,
  ): void {
    const moves: Move[] = [];
    for (const { line, content } of unit) {
      const move = placeMove(scene, line, content as RekeyLine);
      if (isAccount.has(move.content.openPlatformId) && isAccount.has(move.content.newOpenPlatformId)) moves.push(move);
      else results.set(line, { code: 'open_platform_not_found', message: 'no such Open Platform account' });
    }
    const decisions = this.decide(scene, moves);
    for (const [move, decision] of decisions) results.set(move.line, asResult(decision));
    // The same table once more: a swap applied twice would be undone, and what was moved on looks like a contradiction.
    if (scene.job.repeats !== null) {
      for (const { line, holder } of moves) if (holder !== undefined) results.set(line, { outcome: 'unchanged' });
      return;
    }
    carryOut(scene, decisions);
  }

  /** Who stays keeps its unionId, so that whoever wanted it has to stay too: looked at until nothing changes any more. */
  private decide({ world }: Scene, moves: readonly Move[]): Map<Move, RekeyDecision> {
    const leaving = new Set(moves.filter(({ content }) => vacates(content)).map(({ content }) => sourceKeyOf(content)));
    for (;;) {
      const decisions = new Map(moves.map((move) => [move, this.decideOne(world, move, leaving)]));
      const staying = moves.filter((move) => decisions.get(move)?.kind === 'refused' && move.holder !== undefined);
      const before = leaving.size;
      for (const { content } of staying) leaving.delete(sourceKeyOf(content));
      if (leaving.size === before) return decisions;
    }
  }

  private decideOne(world: World, move: Move, leaving: ReadonlySet<string>): RekeyDecision {
    const { content, holder, oldKey, owner, newKey } = move;
    return decideRekey({
      sameAccount: vacates(content),
      holder: holder === undefined ? null : known(holder),
      oldIsRetired: oldKey !== undefined && oldKey.retiredAt !== null,
      targetOwner: owner === undefined ? null : known(owner),
      newIsRetired: newKey !== undefined && newKey.retiredAt !== null,
      vacated: leaving.has(targetKeyOf(content)),
      newOpenPlatformId: content.newOpenPlatformId,
      separated: holder !== undefined && owner !== undefined && world.areSeparated(holder.id, owner.id),
      identitiesPerUserMax: this.settings.identitiesPerUserMax,
    });
  }
}

function* unitsIn(lines: readonly StoredLine[]): Generator<StoredLine[]> {
  let unit: StoredLine[] = [];
  for (const line of lines) {
    if (unit[0] !== undefined && unit[0].unit !== line.unit) {
      yield unit;
      unit = [];
    }
    unit.push(line);
  }
  if (unit.length > 0) yield unit;
}

function placeMove({ world, job }: Scene, line: number, content: RekeyLine): Move {
  const { openPlatformId, oldUnionId, newOpenPlatformId, newUnionId } = content;
  const holder = world.keyOwner(job.entity_id, openPlatformId, oldUnionId);
  const owner = world.keyOwner(job.entity_id, newOpenPlatformId, newUnionId);
  return {
    line,
    content,
    holder,
    owner,
    oldKey: heldKey(holder, openPlatformId, oldUnionId),
    newKey: heldKey(owner, newOpenPlatformId, newUnionId),
  };
}

function heldKey(user: HeldUser | undefined, account: string, unionId: string): HeldKey | undefined {
  return user?.unionKeys.find((key) => key.openPlatformId === account && key.unionId === unionId);
}

function asResult(decision: RekeyDecision): LineResult {
  switch (decision.kind) {
    case 'refused':
      return { code: decision.code, message: decision.message };
    case 'unchanged':
      return { outcome: 'unchanged' };
    case 'rekey':
      return { outcome: 'rekeyed' };
    case 'merge':
      return { outcome: 'merged' };
  }
}

function carryOut(scene: Scene, decisions: ReadonlyMap<Move, RekeyDecision>): void {
  const rekeyed = [...decisions].flatMap(([move, { kind }]) => (kind === 'rekey' ? [move] : []));
  const taken = new Set(rekeyed.map(({ content }) => targetKeyOf(content)));
  for (const move of rekeyed) {
    if (vacates(move.content) && !taken.has(sourceKeyOf(move.content)) && move.holder && move.oldKey)
      scene.world.retireKey(move.oldKey, move.holder);
    giveKey(scene, move);
  }
  for (const move of rekeyed) announce(scene, move);
  for (const [move, { kind }] of decisions) if (kind === 'merge') join(scene, move);
}

function giveKey({ world }: Scene, { content, holder, owner, newKey }: Move): void {
  if (holder === undefined) return;
  if (newKey === undefined || owner === undefined) {
    world.attachKey(holder, content.newOpenPlatformId, content.newUnionId);
    return;
  }
  if (owner !== holder) world.moveKey(newKey, owner, holder);
  if (newKey.retiredAt !== null) world.returnKey(newKey, holder);
}

/** One step a line; what was kept because WeChat sent the new unionId before the table came is no finding any more. */
function announce({ world, job, origin, memory }: Scene, { line, content, holder }: Move): void {
  if (holder === undefined) return;
  const { newOpenPlatformId, newUnionId } = content;
  const from = { openPlatformId: content.openPlatformId, unionId: content.oldUnionId };
  const to = { openPlatformId: newOpenPlatformId, unionId: newUnionId };
  world.step(holder, 'identity.UserRekeyed.v1', { from, to }, origin, { importId: job.id, line });
  memory.push({ userId: holder.id, from, to });
  for (const identity of holder.identities)
    if (identity.pendingUnionId === newUnionId) world.keep(identity, null, null, world.now);
}

function join({ world, job, origin }: Scene, { line, holder, owner }: Move): void {
  if (holder === undefined || owner === undefined) return;
  const evidence = { importId: job.id, line };
  const options = { mergeId: world.newId(), automatic: true, evidence };
  fold(
    world,
    holder,
    owner,
    { ...options, requestedBy: origin.actor, requestedAt: world.now },
    { ...origin, reason: 'WeChat gave the person a unionId that another user holds' },
  );
}
