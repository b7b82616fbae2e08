import { Refusal } from '../problem.js';
import { readCsv } from './csv.js';

export type ImportFormat = 'ndjson' | 'csv' | 'items';

/** A line as the sender counts them, from 1: of the file, or of `items`. */
export type ImportRecord =
  | { readonly line: number; readonly fields: Readonly<Record<string, unknown>> }
  | { readonly line: number; readonly problem: string };

const byteOrderMark = '\uFEFF';

/** Takes the body apart into records. What is wrong with one of them is its own; what is wrong with all is refused. */
export function readRecords(format: ImportFormat, body: unknown, columns: readonly string[]): Iterable<ImportRecord> {
  if (format === 'items') {
    if (!Array.isArray(body)) throw invalid('items', 'items must be an array of objects');
    return recordsOf(body);
  }
  if (typeof body !== 'string') throw invalid('body', 'the body must be text');
  const text = body.startsWith(byteOrderMark) ? body.slice(1) : body;
  return format === 'ndjson' ? recordsOfLines(text) : recordsOfCsv(text, columns);
}

function* recordsOf(items: readonly unknown[]): Generator<ImportRecord> {
  for (const [index, item] of items.entries()) yield recordOf(index + 1, item);
}

function* recordsOfLines(text: string): Generator<ImportRecord> {
  let line = 0;
  for (let at = 0; at < text.length;) {
    const found = text.indexOf('\n', at);
    const end = found === -1 ? text.length : found;
    const json = text.slice(at, end).trim();
    at = end + 1;
    line += 1;
    if (json === '') continue;
    try {
      yield recordOf(line, JSON.parse(json));
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      yield { line, problem: 'the line is not JSON' };
    }
  }
}

function recordOf(line: number, value: unknown): ImportRecord {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return { line, problem: 'the line is not an object' };
  return { line, fields: { ...value } };
}

/** The first record names the columns. An empty cell is an absent field. */
function* recordsOfCsv(text: string, columns: readonly string[]): Generator<ImportRecord> {
  let header: readonly string[] | null = null;
  for (const record of readCsv(text)) {
    if (header === null) {
      header = headerOf(record, columns);
      continue;
    }
    if ('problem' in record) {
      yield record;
      continue;
    }
    const { line, cells } = record;
    if (cells.length !== header.length) {
      yield { line, problem: `the line has ${cells.length} cells, the header ${header.length}` };
      continue;
    }
    const named = header.map((name, index) => [name, cells[index]] as const);
    yield { line, fields: Object.fromEntries(named.filter(([, cell]) => cell !== '')) };
  }
}

function headerOf(record: { cells: readonly string[] } | { problem: string }, columns: readonly string[]): string[] {
  const header = 'cells' in record ? record.cells.map((name) => name.trim()) : [];
  const isKnown = header.length > 0 && header.every((name) => columns.includes(name));
  if (!isKnown || new Set(header).size !== header.length)
    throw invalid('body', `the first line must name columns, each once, out of: ${columns.join(', ')}`);
  return header;
}

function invalid(path: string, message: string): Refusal {
  return new Refusal('invalid_request', message, { errors: [{ path, message }] });
}
