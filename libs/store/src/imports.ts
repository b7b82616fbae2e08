import type { Database, Transaction } from './database.js';
import type { PersonalIds } from './redact.js';

export interface NewImport {
  readonly id: string;
  readonly entityId: string;
  readonly kind: string;
  readonly dryRun: boolean;
  readonly appId: string | null;
  readonly total: number;
  /** Lines refused at the door: done already, and failed. */
  readonly refused: number;
  /** False: the list has still to be pulled from WeChat. */
  readonly listed: boolean;
  readonly repeats: string | null;
  readonly actor: string;
  readonly requestId: string | null;
  readonly traceparent: string | null;
}

export interface StoredLine {
  readonly unit: number;
  readonly line: number;
  /** Null: it named somebody who was erased before it was its turn. */
  readonly content: unknown;
}

export interface ImportErrorRow {
  readonly line: number;
  readonly code: string;
  readonly message: string;
}

export interface ImportWaiting {
  readonly code: string;
  readonly message: string;
  /** ISO 8601. */
  readonly until: string;
}

export interface OpenImport {
  readonly id: string;
  readonly entity_id: string;
  readonly kind: 'identities' | 'union_ids' | 'open_ids' | 'followers';
  readonly dry_run: boolean;
  readonly app_id: string | null;
  readonly next_unit: number;
  readonly next_open_id: string | null;
  readonly listed: boolean;
  readonly repeats: string | null;
  readonly waiting: ImportWaiting | null;
  readonly actor: string;
  readonly request_id: string | null;
  readonly traceparent: string | null;
  readonly created_at: Date;
  readonly total: number;
}

export interface ImportRow extends OpenImport {
  readonly status: 'queued' | 'running' | 'done' | 'failed';
  readonly done: number;
  readonly failed: number;
  readonly outcomes: Readonly<Record<string, number>>;
  readonly started_at: Date | null;
  readonly worked_at: Date | null;
  readonly ended_at: Date | null;
}

export async function insertImport(transaction: Transaction, job: NewImport): Promise<void> {
  await transaction.query({
    text: `INSERT INTO import_job (id, entity_id, kind, status, dry_run, app_id, total, done, failed, listed, repeats,
        actor, request_id, traceparent)
      VALUES ($1, $2, $3, 'queued', $4, $5, $6, $7, $7, $8, $9, $10, $11, $12)`,
    values: [
      job.id,
      job.entityId,
      job.kind,
      job.dryRun,
      job.appId,
      job.total,
      job.refused,
      job.listed,
      job.repeats,
      job.actor,
      job.requestId,
      job.traceparent,
    ],
  });
}

export async function insertImportLines(
  transaction: Transaction,
  jobId: string,
  lines: readonly StoredLine[],
): Promise<void> {
  await transaction.query({
    name: 'insert-import-lines',
    text: `INSERT INTO import_line (job_id, unit, line, content)
      SELECT $1, unit, line, content FROM json_to_recordset($2::json) AS r(unit bigint, line bigint, content json)`,
    values: [jobId, JSON.stringify(lines)],
  });
}

export async function insertImportErrors(
  transaction: Transaction,
  jobId: string,
  errors: readonly ImportErrorRow[],
): Promise<void> {
  if (errors.length === 0) return;
  await transaction.query({
    name: 'insert-import-errors',
    text: `INSERT INTO import_error (job_id, line, code, message)
      SELECT $1, line, code, message FROM json_to_recordset($2::json) AS r(line bigint, code text, message text)`,
    values: [jobId, JSON.stringify(errors)],
  });
}

/** Who applied this table first: `jobId` itself, or an earlier job. */
export async function claimImportTable(
  transaction: Transaction,
  table: { readonly entityId: string; readonly digest: Buffer; readonly jobId: string },
): Promise<string> {
  const rows = await transaction.query<{ job_id: string }>({
    text: `INSERT INTO import_table (entity_id, digest, job_id) VALUES ($1, $2, $3)
      ON CONFLICT (entity_id, digest) DO UPDATE SET job_id = import_table.job_id RETURNING job_id`,
    values: [table.entityId, table.digest, table.jobId],
  });
  return rows[0]?.job_id ?? table.jobId;
}

export async function readImport(database: Database, id: string, entityId: string | null): Promise<ImportRow | null> {
  const rows = await database.query<ImportRow & Record<string, unknown>>({
    name: 'read-import',
    text: 'SELECT * FROM import_job WHERE id = $1 AND ($2::text IS NULL OR entity_id = $2)',
    values: [id, entityId],
  });
  return rows[0] ?? null;
}

/** Errors of the lines above `after`, in order. */
export function readImportErrors(
  database: Database,
  jobId: string,
  { after, limit }: { readonly after: number; readonly limit: number },
): Promise<ImportErrorRow[]> {
  return database.query<ImportErrorRow & Record<string, unknown>>({
    name: 'read-import-errors',
    text: 'SELECT line, code, message FROM import_error WHERE job_id = $1 AND line > $2 ORDER BY line LIMIT $3',
    values: [jobId, after, limit],
  });
}

/** Jobs with work left, oldest first. */
export function readOpenImports(database: Database, limit: number): Promise<OpenImport[]> {
  return database.query<OpenImport & Record<string, unknown>>({
    name: 'read-open-imports',
    text: `SELECT * FROM import_job WHERE status IN ('queued', 'running') ORDER BY created_at, id LIMIT $1`,
    values: [limit],
  });
}

/** The next `linesMax` lines, and more where a unit reaches further; empty at the end. */
export function readNextUnits(
  database: Database,
  jobId: string,
  from: number,
  linesMax: number,
): Promise<StoredLine[]> {
  return database.query<StoredLine & Record<string, unknown>>({
    name: 'read-next-units',
    text: `SELECT unit, line, content FROM import_line WHERE job_id = $1 AND unit >= $2 AND unit <= (
        SELECT max(unit) FROM (SELECT unit FROM import_line WHERE job_id = $1 AND unit >= $2 ORDER BY unit, line LIMIT $3) x)
      ORDER BY unit, line`,
    values: [jobId, from, linesMax],
  });
}

export interface ImportProgress {
  readonly jobId: string;
  /** What the worker read it as: another worker that was faster has raised it. */
  readonly fromUnit: number;
  readonly toUnit: number;
  readonly done: number;
  readonly errors: readonly ImportErrorRow[];
  readonly outcomes: Readonly<Record<string, number>>;
}

/**
 * Takes these lines off the job, in the transaction of their effect. False: another worker took them, or an erasure has
 * emptied one since it was read, and everything has to be rolled back.
 */
export async function takeImportLines(
  transaction: Transaction,
  { jobId, fromUnit, toUnit }: Pick<ImportProgress, 'jobId' | 'fromUnit' | 'toUnit'>,
  lines: readonly StoredLine[],
): Promise<boolean> {
  const rows = await transaction.query({
    name: 'take-import-lines',
    text: `UPDATE import_job SET next_unit = $3 WHERE id = $1 AND next_unit = $2 AND status IN ('queued', 'running') RETURNING 1`,
    values: [jobId, fromUnit, toUnit],
  });
  if (rows.length === 0) return false;
  const taken = await transaction.query<{ is_emptied: boolean }>({
    name: 'drop-import-lines',
    text: `DELETE FROM import_line WHERE job_id = $1 AND unit >= $2 AND unit < $3
      RETURNING json_typeof(content) = 'null' AS is_emptied`,
    values: [jobId, fromUnit, toUnit],
  });
  return taken.filter((row) => row.is_emptied).length === lines.filter(({ content }) => content === null).length;
}

/** Takes a person out of the lines that wait: each is still counted, and refused when it is its turn. */
export async function emptyImportLines(
  transaction: Transaction,
  entityId: string,
  { identities, unionKeys }: PersonalIds,
): Promise<void> {
  await transaction.query({
    text: `WITH names (space, id, is_open) AS (SELECT *, true FROM unnest($2::text[], $3::text[])
        UNION ALL SELECT *, false FROM unnest($4::text[], $5::text[]))
      UPDATE import_line SET content = 'null' FROM import_line l
      JOIN import_job j ON j.id = l.job_id AND j.entity_id = $1 AND j.status IN ('queued', 'running')
      LEFT JOIN app ON app.id = l.content ->> 'appId'
      WHERE import_line.job_id = l.job_id AND import_line.unit = l.unit AND import_line.line = l.line AND EXISTS (
        SELECT FROM names n JOIN (VALUES (true, coalesce(l.content ->> 'appId', j.app_id), l.content ->> 'openId'),
          (true, l.content ->> 'oldAppId', l.content ->> 'oldOpenId'), (true, l.content ->> 'newAppId', l.content ->> 'newOpenId'),
          (false, app.open_platform_id, l.content ->> 'unionId'),
          (false, l.content ->> 'openPlatformId', l.content ->> 'oldUnionId'),
          (false, l.content ->> 'newOpenPlatformId', l.content ->> 'newUnionId')) told (is_open, space, id) USING (is_open, space, id))`,
    values: [
      entityId,
      identities.map(({ appId }) => appId),
      identities.map(({ openId }) => openId),
      unionKeys.map(({ openPlatformId }) => openPlatformId),
      unionKeys.map(({ unionId }) => unionId),
    ],
  });
}

export async function recordImportProgress(transaction: Transaction, progress: ImportProgress): Promise<void> {
  await insertImportErrors(transaction, progress.jobId, progress.errors);
  await transaction.query({
    name: 'record-import-progress',
    text: `UPDATE import_job SET status = 'running', waiting = NULL, done = done + $2, failed = failed + $3,
        started_at = coalesce(started_at, clock_timestamp()), worked_at = clock_timestamp(),
        outcomes = (SELECT coalesce(jsonb_object_agg(key, n), '{}') FROM (SELECT key, sum(value::bigint) AS n
          FROM (SELECT * FROM jsonb_each_text(outcomes) UNION ALL SELECT * FROM jsonb_each_text($4::jsonb)) added
          GROUP BY key) sums)
      WHERE id = $1`,
    values: [progress.jobId, progress.done, progress.errors.length, JSON.stringify(progress.outcomes)],
  });
}

/** Done, unless there is something left after all. */
export async function finishImport(database: Database, jobId: string): Promise<void> {
  await database.query({
    text: `UPDATE import_job SET status = 'done', waiting = NULL, ended_at = clock_timestamp(),
        started_at = coalesce(started_at, clock_timestamp())
      WHERE id = $1 AND status IN ('queued', 'running') AND listed AND done = total`,
    values: [jobId],
  });
}

/** A page of the follower list becomes lines, unless another worker stored it already. */
export async function storeFollowerPage(
  transaction: Transaction,
  job: OpenImport,
  page: { readonly openIds: readonly string[]; readonly nextOpenId: string | null },
): Promise<void> {
  const rows = await transaction.query({
    text: `UPDATE import_job SET status = 'running', waiting = NULL, total = total + $3::integer, next_open_id = $4::text, listed = $4::text IS NULL,
        started_at = coalesce(started_at, clock_timestamp())
      WHERE id = $1 AND NOT listed AND next_open_id IS NOT DISTINCT FROM $2::text AND status IN ('queued', 'running') RETURNING 1`,
    values: [job.id, job.next_open_id, page.openIds.length, page.nextOpenId],
  });
  if (rows.length === 0) return;
  const lines = page.openIds.map((openId, index) => {
    const unit = job.total + index;
    return { unit, line: unit + 1, content: { openId } };
  });
  await insertImportLines(transaction, job.id, lines);
}

/** Says why a job does not go on; its next portion takes it back. */
export async function pauseImport(database: Database, jobId: string, why: ImportWaiting): Promise<void> {
  await database.query({
    text: `UPDATE import_job SET waiting = $2, started_at = coalesce(started_at, clock_timestamp()) WHERE id = $1`,
    values: [jobId, JSON.stringify(why)],
  });
}

/** Ends a job that cannot go on. Line 0 of its errors is about the whole. */
export async function failImport(
  database: Database,
  jobId: string,
  why: { readonly code: string; readonly message: string },
): Promise<void> {
  await database.transaction(async (transaction) => {
    await transaction.query({
      text: `UPDATE import_job SET status = 'failed', waiting = NULL, next_open_id = NULL, ended_at = clock_timestamp() WHERE id = $1`,
      values: [jobId],
    });
    await transaction.query({ text: 'DELETE FROM import_line WHERE job_id = $1', values: [jobId] });
    await insertImportErrors(transaction, jobId, [{ line: 0, ...why }]);
  });
}
