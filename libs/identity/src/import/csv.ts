/** One record of a CSV file, or what is wrong with it. `line` is the line of the file it begins on, from 1. */
export type CsvRecord =
  { readonly line: number; readonly cells: readonly string[] } | { readonly line: number; readonly problem: string };

/**
 * RFC 4180, strictly: a quote opens a cell only at its beginning, and is doubled inside. A record that breaks the rule is
 * named and spoils no other; after one whose quote never closes nothing can be told apart any more. Blank lines are
 * passed over. A parser of our own, because every record needs its line and its own error, and nothing else is needed.
 */
export function* readCsv(text: string): Generator<CsvRecord> {
  const cell = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r?\n|$)/y;
  let at = 0;
  let line = 1;
  while (at < text.length) {
    const begins = at;
    const first = line;
    const cells: string[] = [];
    let ended = false;
    while (!ended) {
      cell.lastIndex = at;
      const match = cell.exec(text);
      if (match === null) break;
      const [whole, quoted, plain = '', separator] = match;
      cells.push(quoted === undefined ? plain : quoted.replaceAll('""', '"'));
      at += whole.length;
      ended = separator !== ',';
    }
    if (!ended) at = endOfLine(text, at);
    line += linesIn(text, begins, at);
    if (!ended) yield { line: first, problem: 'a quote stands where none may, or never closes' };
    else if (cells.length > 1 || cells[0] !== '') yield { line: first, cells };
  }
}

function endOfLine(text: string, from: number): number {
  const end = text.indexOf('\n', from);
  return end === -1 ? text.length : end + 1;
}

function linesIn(text: string, from: number, to: number): number {
  let count = 0;
  for (let at = text.indexOf('\n', from); at !== -1 && at < to; at = text.indexOf('\n', at + 1)) count += 1;
  return count;
}
