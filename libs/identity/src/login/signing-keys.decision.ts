/** A key in the line, with the moment it begins to sign at, on this process's clock. */
export interface KeyInLine {
  readonly signsFromMs: number;
}

/** The newest that has begun. Where none has (the clock was put back), the oldest: a login is never refused for that. */
export function keyThatSigns<K extends KeyInLine>(line: readonly K[], nowMs: number): K | undefined {
  const newestFirst = line.toSorted((a, b) => b.signsFromMs - a.signsFromMs);
  return newestFirst.find(({ signsFromMs }) => signsFromMs <= nowMs) ?? newestFirst.at(-1);
}

/** Whether the line needs a successor by now: it is due so much earlier as it is published ahead. 0 days: never. */
export function isRotationDue(
  line: readonly KeyInLine[],
  nowMs: number,
  rule: { readonly rotateDays: number; readonly publishAheadSeconds: number },
): boolean {
  if (rule.rotateDays === 0 || line.length === 0) return false;
  const newest = Math.max(...line.map(({ signsFromMs }) => signsFromMs));
  return newest + rule.rotateDays * 86_400_000 <= nowMs + rule.publishAheadSeconds * 1_000;
}
