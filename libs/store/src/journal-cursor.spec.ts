import fc from 'fast-check';
import type { Snapshot, SnapshotCursor } from './journal-cursor.js';
import { decodeCursor, encodeCursor, journalStart, parseSnapshot, snapshotText } from './journal-cursor.js';

const snapshots: fc.Arbitrary<Snapshot> = fc
  .tuple(
    fc.bigInt({ min: 3n, max: 2n ** 62n }),
    fc.uniqueArray(fc.bigInt({ min: 1n, max: 100_000n }), { maxLength: 50 }),
  )
  .map(([low, distances]) => {
    const xmax = low + 100_001n;
    return { xmax, running: distances.map((distance) => xmax - distance).toSorted((a, b) => (a < b ? -1 : 1)) };
  });

const cursors: fc.Arbitrary<SnapshotCursor> = fc.record({
  seen: fc.option(snapshots),
  upto: fc.option(snapshots),
  after: fc.nat(Number.MAX_SAFE_INTEGER),
  incarnation: fc.nat(Number.MAX_SAFE_INTEGER),
});

describe('A cursor of the journal', () => {
  it('comes back from its text as it was, and its text is safe in a URL', () => {
    fc.assert(
      fc.property(cursors, (cursor) => {
        fc.pre(cursor.seen === null || cursor.upto === null || cursor.upto.xmax >= cursor.seen.xmax);
        const text = encodeCursor(cursor);
        expect(text).toMatch(/^[0-9a-z.-]+$/);
        expect(decodeCursor(text)).toEqual(cursor);
      }),
    );
  });

  it('is null for whatever was not written by us, and for what was changed', () => {
    const garbage = [
      '',
      '1',
      'x',
      '1.0...',
      '1.0...0.',
      '2.0...0',
      '1.0...00',
      '1.0...-1',
      '1.0.a-b..0',
      '1.0.5-1-2..0',
    ];
    garbage.push(
      '1.0.0..0',
      '1.0..0.0',
      '1.0.a-a..0',
      '1.0.zzzzzzzzzzzzzz..0',
      '1.0. ..0',
      `1.0.${'1'.repeat(70_000)}..0`,
      '1.0.b.a.0',
      '\u0000',
    );
    for (const text of garbage) expect([text, decodeCursor(text)]).toEqual([text, null]);
    fc.assert(
      fc.property(fc.string(), (text) => {
        const cursor = decodeCursor(text);
        expect(cursor === null || encodeCursor(cursor) === text).toBe(true);
      }),
    );
    expect(decodeCursor(encodeCursor(journalStart))).toEqual(journalStart);
  });

  it('reads and writes snapshots as PostgreSQL does', () => {
    for (const text of ['10:10:', '10:20:10,14,15', '903:903:']) expect(snapshotText(parseSnapshot(text))).toBe(text);
    expect(parseSnapshot('10:20:10,14')).toEqual({ xmax: 20n, running: [10n, 14n] });
  });
});
