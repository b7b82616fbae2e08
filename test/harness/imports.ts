import { type Acme, ok } from './acme.js';
import type { Answer, Json } from './http.js';
import { until } from './until.js';

export const ndjson = { headers: { 'content-type': 'application/x-ndjson' } };
export const csv = { headers: { 'content-type': 'text/csv; charset=utf-8' } };

/** Lines that are texts stand as they are. */
export const textOf = (lines: readonly unknown[]): string =>
  lines.map((line) => (typeof line === 'string' ? line : JSON.stringify(line))).join('\n');

export const codesOf = (job: Json): unknown[] => job.errors.map((error: Json) => [error.line, error.code]);

/** Imports into Acme by its operator, and what came of them. */
export interface Imports {
  readonly begin: (kind: string, lines: readonly unknown[], more?: string) => Promise<string>;
  readonly stateOf: (id: string) => Promise<Json>;
  readonly ended: (id: string) => Promise<Json>;
  /** Begun and ended. */
  readonly imported: (kind: string, lines: readonly unknown[], more?: string) => Promise<Json>;
  readonly ownerOf: (appId: string, openId: string) => Promise<Answer<Json>>;
  /** How many rows: a table, and a WHERE where wanted. */
  readonly count: (from: string) => Promise<number>;
}

export function importsOf(acme: () => Acme): Imports {
  const begin: Imports['begin'] = async (kind, lines, more = '') =>
    ok(await acme().operator.post(`/v1/imports?kind=${kind}&entityId=acme${more}`, textOf(lines), ndjson)).body.id;
  const stateOf: Imports['stateOf'] = async (id) => ok(await acme().operator.get(`/v1/imports/${id}`)).body;
  const ended: Imports['ended'] = (id) =>
    until(
      async () => {
        const job = await stateOf(id);
        return job.status === 'done' || job.status === 'failed' ? job : null;
      },
      { timeoutMs: 60_000, what: `import ${id} to end` },
    );
  return {
    begin,
    stateOf,
    ended,
    imported: async (...asked) => ended(await begin(...asked)),
    ownerOf: (appId, openId) => acme().operator.get(`/v1/identities/${appId}/${openId}`),
    count: async (from) =>
      Number((await acme().database.query<{ n: string }>(`SELECT count(*) AS n FROM ${from}`))[0]?.n),
  };
}
