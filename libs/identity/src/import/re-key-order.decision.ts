import type { RekeyLine } from './import-lines.js';

export interface NumberedLine<Line> {
  readonly line: number;
  readonly content: Line;
}

export interface RefusedLine {
  readonly line: number;
  readonly code: 'duplicate_target' | 'duplicate_source' | 'cycle_too_long';
  readonly message: string;
}

export interface Sorted<Line> {
  readonly good: readonly NumberedLine<Line>[];
  readonly refused: readonly RefusedLine[];
}

/** Which of two lines that want the same is right cannot be told: all of them are refused. */
export function refuseDoubled<Line>(
  lines: readonly NumberedLine<Line>[],
  { sourceOf, targetOf }: { readonly sourceOf: (line: Line) => string; readonly targetOf: (line: Line) => string },
): Sorted<Line> {
  const targets = countBy(lines, targetOf);
  const sources = countBy(lines, sourceOf);
  const good: NumberedLine<Line>[] = [];
  const refused: RefusedLine[] = [];
  for (const numbered of lines) {
    const { line, content } = numbered;
    if ((targets.get(targetOf(content)) ?? 0) > 1)
      refused.push({ line, code: 'duplicate_target', message: 'several lines lead to the same new id' });
    else if ((sources.get(sourceOf(content)) ?? 0) > 1)
      refused.push({ line, code: 'duplicate_source', message: 'several lines replace the same old id' });
    else good.push(numbered);
  }
  return { good, refused };
}

export const sourceKeyOf = ({ openPlatformId, oldUnionId }: RekeyLine): string => `${openPlatformId}\n${oldUnionId}`;
export const targetKeyOf = ({ newOpenPlatformId, newUnionId }: RekeyLine): string =>
  `${newOpenPlatformId}\n${newUnionId}`;

/** A re-key to another account leaves the old unionId where it is. */
export const vacates = ({ openPlatformId, newOpenPlatformId }: RekeyLine): boolean =>
  openPlatformId === newOpenPlatformId;

/**
 * One permutation, cut into units that may be applied one after the other: whoever makes room comes before whoever moves
 * in, and only a circle is one unit, because nobody in it can move first. Cutting at all keeps a table of any length
 * from being one transaction. Wants lines that `refuseDoubled` let through.
 */
export function unitsOf(
  lines: readonly NumberedLine<RekeyLine>[],
  cycleMax: number,
): { readonly units: readonly (readonly NumberedLine<RekeyLine>[])[]; readonly refused: readonly RefusedLine[] } {
  const bySource = new Map(
    lines.filter(({ content }) => vacates(content)).map((numbered) => [sourceKeyOf(numbered.content), numbered]),
  );
  const units: NumberedLine<RekeyLine>[][] = [];
  const refused: RefusedLine[] = [];
  const placed = new Set<NumberedLine<RekeyLine>>();
  for (const start of lines) {
    const path: NumberedLine<RekeyLine>[] = [];
    let next: NumberedLine<RekeyLine> | undefined = start;
    while (next !== undefined && !placed.has(next)) {
      placed.add(next);
      path.push(next);
      next = bySource.get(targetKeyOf(next.content));
    }
    // No two lines lead to the same id, so a path that comes back comes back to its start.
    if (path.length > 0 && next === start) {
      if (path.length <= cycleMax) units.push(path);
      else for (const { line } of path) refused.push(tooLong(line, cycleMax));
    } else for (const numbered of path.toReversed()) units.push([numbered]);
  }
  return { units, refused };
}

function tooLong(line: number, max: number): RefusedLine {
  return { line, code: 'cycle_too_long', message: `more than ${max} unionIds change places in one circle` };
}

function countBy<Line>(lines: readonly NumberedLine<Line>[], keyOf: (line: Line) => string): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { content } of lines) counts.set(keyOf(content), (counts.get(keyOf(content)) ?? 0) + 1);
  return counts;
}
