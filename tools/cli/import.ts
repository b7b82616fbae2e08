import { readFileSync, statSync } from 'node:fs';
import { extname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import type { ImportKind, ImportRequest, ImportView } from '#identity';
import { Imports, ImportWorker, Refusal as Refused } from '#identity';
import { Refusal, say } from '../machine.js';
import { commandLine } from './installation.js';
import { Progress } from './progress.js';
import { withRules } from './rules.js';

export const help = `import: what POST /v1/imports does, for files of any size

  import KIND FILE --entity ID [--format ndjson|csv] [--dry-run]
      KIND: identities  appId, openId, unionId?, firstSeenAt?
            union_ids   openPlatformId, oldUnionId, newOpenPlatformId?, newUnionId
            open_ids    oldAppId, oldOpenId, newAppId, newOpenId
      FILE: NDJSON or CSV, told by its ending or --format; - reads standard input
  import followers --app ID --entity ID [--dry-run]
      pulls the followers of a service account from WeChat
  import show ID
      how far a job is, and what was wrong with which line

The job is stored whole before its first line is applied. Broken off, it goes on in the API's background, or here with
import resume ID. Ends with 1 where the job failed; bad lines do not make it fail, they are listed.
DATABASE_URL, SECRETS_KEY, IDENTITIES_PER_USER_MAX and WECHAT_BASE_URL as for the API.`;

const kinds: readonly ImportKind[] = ['identities', 'union_ids', 'open_ids', 'followers'];
const formats = { '.csv': 'csv', '.ndjson': 'ndjson', '.jsonl': 'ndjson' } as const;
/** A text is one string here, and V8's end at 512 MiB. */
const fileMaxBytes = 500_000_000;
const lookEveryMs = 200;

export async function run(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      entity: { type: 'string' },
      format: { type: 'string' },
      app: { type: 'string' },
      'dry-run': { type: 'boolean', default: false },
    },
  });
  const [what = '', name, ...rest] = positionals;
  if (rest.length > 0) throw new Refusal(help);
  if ((what === 'show' || what === 'resume') && name !== undefined)
    return withImports(async (imports, worker) => {
      if (what === 'show') return told(await imports.get(name, null, -1));
      return workOff(imports, worker, await imports.get(name, null, -1));
    });
  const kind = kinds.find((one) => one === what);
  if (kind === undefined) throw new Refusal(`${what === '' ? '' : `no such kind: ${what}\n\n`}${help}`);
  if (values.entity === undefined) throw new Refusal(`--entity says whose users they are\n\n${help}`);
  const request: ImportRequest = {
    kind,
    entityId: values.entity,
    dryRun: values['dry-run'],
    appId: kind === 'followers' ? (values.app ?? null) : null,
    lines: kind === 'followers' ? null : linesOf(name, values.format),
  };
  return withImports(async (imports, worker) => {
    const origin = { ...commandLine, cause: 'import', traceparent: null, reason: null } as const;
    const job = await imports.create(request, origin);
    say(`import ${job.id}: ${job.total} lines`);
    return workOff(imports, worker, job);
  });
}

async function withImports(work: (imports: Imports, worker: ImportWorker) => Promise<number>): Promise<number> {
  try {
    return await withRules((rules) => work(rules.get(Imports), rules.get(ImportWorker)));
  } catch (error) {
    throw error instanceof Refused ? new Refusal(`${error.message} (${error.code})`) : error;
  }
}

/** Here, or by an API that was faster: either way the same job, and it is looked at until it has ended. */
async function workOff(imports: Imports, worker: ImportWorker, begun: ImportView): Promise<number> {
  const progress = new Progress();
  let job = begun;
  while (job.status !== 'done' && job.status !== 'failed') {
    const handled = await worker.run();
    job = await imports.get(job.id, null, -1);
    progress.show(lineOf(job));
    if (handled === 0) await delay(lookEveryMs);
  }
  progress.end();
  await worker.stop();
  return told(job);
}

function lineOf({ done, total, failed, ratePerSecond, waiting }: ImportView): string {
  const width = 30;
  const filled = total === 0 ? 0 : Math.round((done / total) * width);
  const bar = `${'#'.repeat(filled)}${'.'.repeat(width - filled)}`;
  const wait = waiting === null ? '' : `, waiting: ${waiting.message}`;
  return `[${bar}] ${done} of ${total}, ${failed} failed, ${ratePerSecond ?? '?'} a second${wait}`;
}

function told(job: ImportView): number {
  for (const { line, code, message } of job.errors) say(`line ${line}: ${code}: ${message}`);
  if (job.moreErrors) say('… and more; GET /v1/imports/{id}?errorsAfter= has them');
  const outcomes = Object.entries(job.outcomes).map(([outcome, count]) => `${count} ${outcome}`);
  say(
    `${job.status}: ${job.done} of ${job.total} lines, ${job.failed} failed${outcomes.map((one) => `, ${one}`).join('')}`,
  );
  return job.status === 'failed' ? 1 : 0;
}

function linesOf(file: string | undefined, given: string | undefined): ImportRequest['lines'] {
  if (file === undefined) throw new Refusal(help);
  const ending = extname(file).toLowerCase();
  const format = given ?? Object.entries(formats).find(([known]) => known === ending)?.[1];
  if (format !== 'csv' && format !== 'ndjson') throw new Refusal(`--format says what is in ${file}: ndjson or csv`);
  try {
    const bytes = file === '-' ? 0 : statSync(file).size;
    if (bytes > fileMaxBytes) throw new Refusal(`${file} is larger than ${fileMaxBytes} bytes: cut it into several`);
    return { format, body: readFileSync(file === '-' ? 0 : file, 'utf8') };
  } catch (error) {
    throw error instanceof Refusal ? error : new Refusal(`${file} cannot be read: ${String(error)}`);
  }
}
