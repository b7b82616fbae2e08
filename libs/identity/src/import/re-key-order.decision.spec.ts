import fc from 'fast-check';
import type { RekeyLine } from './import-lines.js';
import type { NumberedLine } from './re-key-order.decision.js';
import { refuseDoubled, sourceKeyOf, targetKeyOf, unitsOf } from './re-key-order.decision.js';

const rekey = (from: string, to: string, newOpenPlatformId = 'op1'): RekeyLine => ({
  openPlatformId: 'op1',
  oldUnionId: from,
  newOpenPlatformId,
  newUnionId: to,
});
const numbered = (lines: readonly RekeyLine[]): NumberedLine<RekeyLine>[] =>
  lines.map((content, index) => ({ line: index + 1, content }));
const linesOf = (units: readonly (readonly NumberedLine<RekeyLine>[])[]): number[][] =>
  units.map((unit) => unit.map(({ line }) => line));
const keys = { sourceOf: sourceKeyOf, targetOf: targetKeyOf };

describe('The lines of a re-key table', () => {
  it('are refused where several lead to one new id or replace one old id, all of them', () => {
    const lines = [rekey('a', 'x'), rekey('b', 'x'), rekey('c', 'y'), rekey('c', 'z'), rekey('d', 'w')];
    const { good, refused } = refuseDoubled(numbered([...lines, rekey('e', 'w', 'op2')]), keys);
    expect(refused.map(({ line, code }) => [line, code])).toEqual([
      [1, 'duplicate_target'],
      [2, 'duplicate_target'],
      [3, 'duplicate_source'],
      [4, 'duplicate_source'],
    ]);
    expect(good.map(({ line }) => line)).toEqual([5, 6]);
  });

  it('are ordered so that whoever makes room comes first, and only circles stay together', () => {
    expect(linesOf(unitsOf(numbered([rekey('a', 'b'), rekey('b', 'c'), rekey('d', 'a')]), 9).units)).toEqual([
      [2],
      [1],
      [3],
    ]);
    expect(linesOf(unitsOf(numbered([rekey('a', 'b'), rekey('x', 'y'), rekey('b', 'a')]), 9).units)).toEqual([
      [1, 3],
      [2],
    ]);
    const across = [rekey('a', 'b', 'op2'), { ...rekey('b', 'a'), openPlatformId: 'op2' }];
    expect(unitsOf(numbered(across), 9).units).toHaveLength(2);
  });

  it('are refused where a circle is longer than one transaction may be', () => {
    const lines = numbered([rekey('a', 'b'), rekey('b', 'c'), rekey('c', 'a'), rekey('x', 'y')]);
    const { units, refused } = unitsOf(lines, 2);
    expect(linesOf(units)).toEqual([[4]]);
    expect(refused.map(({ line, code }) => [line, code])).toEqual([
      [1, 'cycle_too_long'],
      [2, 'cycle_too_long'],
      [3, 'cycle_too_long'],
    ]);
  });

  it('give, unit by unit, what the whole permutation gives at once', () => {
    const ids = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];
    const tables = fc
      .tuple(fc.shuffledSubarray(ids), fc.shuffledSubarray(ids))
      .map(([from, to]) => from.flatMap((id, index) => (to[index] && to[index] !== id ? [rekey(id, to[index])] : [])));
    fc.assert(
      fc.property(tables, (lines) => {
        const { units } = unitsOf(numbered(lines), ids.length);
        const moves = new Map(lines.map(({ oldUnionId, newUnionId }) => [oldUnionId, newUnionId]));
        // Whoever's place is taken without a move of its own loses it in both ways, so only holders of moved ids count.
        const holders = new Map(lines.map(({ oldUnionId }) => [oldUnionId, `holder of ${oldUnionId}`]));
        const now = new Map(holders);
        for (const unit of units) {
          const carried = unit.map(({ content }) => [content.newUnionId, now.get(content.oldUnionId)] as const);
          for (const { content } of unit) now.delete(content.oldUnionId);
          for (const [id] of carried) expect(now.has(id)).toBe(false);
          for (const [id, holder] of carried) if (holder !== undefined) now.set(id, holder);
        }
        for (const [id, holder] of holders) expect(now.get(moves.get(id) ?? '')).toBe(holder);
      }),
    );
  });
});
