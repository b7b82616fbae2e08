import { createHash } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import type { ImportErrorRow, ImportRow, StoredLine, Transaction } from '#store';
import {
  claimImportTable,
  Database,
  insertImport,
  insertImportErrors,
  insertImportLines,
  readImport,
  readImportErrors,
} from '#store';
import { v7 } from 'uuid';
import { Effects } from '../change/effects.js';
import type { Origin } from '../change/world.js';
import { isUserId } from '../lookup/users.js';
import { Refusal } from '../problem.js';
import { Registry } from '../registry/registry.js';
import type { ImportKind, LineOf, OpenIdLine, RekeyLine } from './import-lines.js';
import { columnsOf, readLine } from './import-lines.js';
import type { NumberedLine } from './re-key-order.decision.js';
import { refuseDoubled, sourceKeyOf, targetKeyOf, unitsOf } from './re-key-order.decision.js';
import type { ImportFormat } from './records.js';
import { readRecords } from './records.js';

export interface ImportRequest {
  readonly kind: ImportKind;
  readonly entityId: string;
  readonly dryRun: boolean;
  /** followers only. */
  readonly appId: string | null;
  readonly lines: { readonly format: ImportFormat; readonly body: unknown } | null;
}

/** How far an import is. */
export interface ImportView {
  readonly id: string;
  readonly entityId: string;
  readonly kind: ImportKind;
  readonly status: ImportRow['status'];
  readonly dryRun: boolean;
  readonly appId: string | null;
  readonly total: number;
  readonly done: number;
  readonly failed: number;
  /** Null until there is a second portion: there is no time to divide by. */
  readonly ratePerSecond: number | null;
  readonly outcomes: Readonly<Record<string, number>>;
  /** The import that applied the same re-key table before. */
  readonly repeats: string | null;
  /** Why it does not go on just now. */
  readonly waiting: ImportRow['waiting'];
  readonly createdAt: Date;
  readonly startedAt: Date | null;
  readonly endedAt: Date | null;
  readonly errors: readonly ImportErrorRow[];
  readonly moreErrors: boolean;
}

/** Unit by unit: what is applied together. */
interface Taken {
  readonly total: number;
  readonly units: readonly (readonly NumberedLine<unknown>[])[];
  readonly errors: readonly ImportErrorRow[];
}

/** So many lines are read or stored before others get a turn of the event loop. */
const linesPerTurn = 2_000;
const errorsShownMax = 1_000;
/** Two locks a line, in one transaction: PostgreSQL's lock table has room for some 6,000. */
const cycleMax = 1_000;

/** The door of imports: takes the lines apart, stores the job and its lines in one transaction, and shows how far it is. */
@Injectable()
export class Imports {
  constructor(
    private readonly effects: Effects,
    private readonly database: Database,
    private readonly registry: Registry,
  ) {}

  async create(request: ImportRequest, origin: Origin): Promise<ImportView> {
    await this.registry.entity(request.entityId);
    const taken = request.kind === 'followers' ? await this.followersOf(request) : await this.take(request);
    const jobId = await this.effects.run(async (transaction) => {
      const id = v7();
      const repeats = await repeated(transaction, id, request, taken);
      await insertImport(transaction, {
        id,
        entityId: request.entityId,
        kind: request.kind,
        dryRun: request.dryRun,
        appId: request.appId,
        total: taken.total,
        refused: taken.errors.length,
        listed: request.kind !== 'followers',
        repeats,
        actor: origin.actor,
        requestId: origin.requestId,
        traceparent: origin.traceparent,
      });
      const lines = taken.units.flatMap((unit, index) =>
        unit.map(({ line, content }): StoredLine => ({ unit: index, line, content })),
      );
      for (let at = 0; at < lines.length; at += linesPerTurn)
        await insertImportLines(transaction, id, lines.slice(at, at + linesPerTurn));
      for (let at = 0; at < taken.errors.length; at += linesPerTurn)
        await insertImportErrors(transaction, id, taken.errors.slice(at, at + linesPerTurn));
      return id;
    });
    return this.get(jobId, request.entityId, -1);
  }

  /** With the errors of the lines above `errorsAfter`; line 0 is about the whole. */
  async get(id: string, entityId: string | null, errorsAfter: number): Promise<ImportView> {
    const row = isUserId(id) ? await readImport(this.database, id, entityId) : null;
    if (row === null) throw new Refusal('import_not_found', 'no such import');
    const errors = await readImportErrors(this.database, id, { after: errorsAfter, limit: errorsShownMax + 1 });
    return {
      ...view(row),
      errors: errors.slice(0, errorsShownMax),
      moreErrors: errors.length > errorsShownMax,
    };
  }

  private async followersOf({ appId, entityId }: ImportRequest): Promise<Taken> {
    if (appId === null)
      throw new Refusal('invalid_request', 'appId says whose followers', {
        errors: [{ path: 'appId', message: 'appId says whose followers' }],
      });
    const { kind } = await this.registry.credentials(appId, entityId);
    if (kind !== 'service_account') throw new Refusal('wrong_app_kind', 'only service accounts have followers to pull');
    return { total: 0, units: [], errors: [] };
  }

  private async take({ kind, lines }: ImportRequest): Promise<Taken> {
    if (lines === null) throw new Error('every kind but followers has lines');
    const errors: ImportErrorRow[] = [];
    const good: NumberedLine<LineOf[ImportKind]>[] = [];
    let total = 0;
    for (const record of readRecords(lines.format, lines.body, columnsOf[kind])) {
      total += 1;
      if (total % linesPerTurn === 0) await nextTurn();
      const reading = 'problem' in record ? record : readLine(kind, record.fields, Date.now());
      if ('problem' in reading) errors.push({ line: record.line, code: 'invalid_request', message: reading.problem });
      else good.push({ line: record.line, content: reading.content });
    }
    const sorted = sortOut(kind, good);
    return { total, units: sorted.units, errors: [...errors, ...sorted.refused] };
  }
}

function sortOut(
  kind: ImportKind,
  lines: readonly NumberedLine<unknown>[],
): { units: readonly (readonly NumberedLine<unknown>[])[]; refused: readonly ImportErrorRow[] } {
  if (kind === 'union_ids') {
    const { good, refused } = refuseDoubled(lines as readonly NumberedLine<RekeyLine>[], {
      sourceOf: sourceKeyOf,
      targetOf: targetKeyOf,
    });
    const cut = unitsOf(good, cycleMax);
    return { units: cut.units, refused: [...refused, ...cut.refused] };
  }
  if (kind === 'open_ids') {
    const { good, refused } = refuseDoubled(lines as readonly NumberedLine<OpenIdLine>[], {
      sourceOf: ({ oldAppId, oldOpenId }) => `${oldAppId}:${oldOpenId}`,
      targetOf: ({ newAppId, newOpenId }) => `${newAppId}:${newOpenId}`,
    });
    return { units: good.map((one) => [one]), refused };
  }
  return { units: lines.map((one) => [one]), refused: [] };
}

/** A permutation applied twice is another one: the same table is only checked the second time. */
async function repeated(
  transaction: Transaction,
  jobId: string,
  { kind, entityId, dryRun }: ImportRequest,
  { units }: Taken,
): Promise<string | null> {
  if (kind !== 'union_ids' || dryRun || units.length === 0) return null;
  const lines = units.flat().map(({ content }) => JSON.stringify(content));
  const digest = createHash('sha256').update(lines.toSorted().join('\n')).digest();
  const firstJobId = await claimImportTable(transaction, { entityId, digest, jobId });
  return firstJobId === jobId ? null : firstJobId;
}

function view(row: ImportRow): Omit<ImportView, 'errors' | 'moreErrors'> {
  const { id, kind, status, total, done, failed, outcomes, repeats, waiting } = row;
  const workedMs = row.started_at === null ? 0 : Number(row.worked_at ?? row.started_at) - Number(row.started_at);
  return {
    id,
    entityId: row.entity_id,
    kind,
    status,
    dryRun: row.dry_run,
    appId: row.app_id,
    total,
    done,
    failed,
    ratePerSecond: workedMs === 0 ? null : Math.round((done / workedMs) * 1000),
    outcomes,
    repeats,
    waiting,
    createdAt: row.created_at,
    startedAt: row.started_at,
    endedAt: row.ended_at,
  };
}
