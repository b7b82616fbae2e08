import fc from 'fast-check';
import { readCsv } from './csv.js';

const cellsOf = (text: string): unknown[] =>
  [...readCsv(text)].map((one) => ('cells' in one ? one.cells : one.problem));
const quoted = (cell: string): string => `"${cell.replaceAll('"', '""')}"`;

describe('A CSV file', () => {
  it('gives back whatever cells were written into it, with the lines they began on', () => {
    const cell = fc.string({ unit: fc.constantFrom('a', '"', ',', '\n', '\r', ' ', '中'), maxLength: 6 });
    const table = fc.array(fc.array(cell, { minLength: 2, maxLength: 4 }), { maxLength: 6 });
    fc.assert(
      fc.property(table, fc.constantFrom('\n', '\r\n'), (rows, end) => {
        const records = [...readCsv(rows.map((row) => row.map(quoted).join(',')).join(end))];
        expect(records.map((one) => ('cells' in one ? one.cells : one))).toEqual(rows);
        let line = 1;
        for (const [index, row] of rows.entries()) {
          expect(records[index]?.line).toBe(line);
          line += 1 + row.join('').split('\n').length - 1;
        }
      }),
    );
  });

  it('names a record that breaks the rule, and reads the others', () => {
    expect(cellsOf('a,b\nc,d"e\n\nf,\n"g"h,i\nj,k')).toEqual([
      ['a', 'b'],
      'a quote stands where none may, or never closes',
      ['f', ''],
      'a quote stands where none may, or never closes',
      ['j', 'k'],
    ]);
    expect([...readCsv('a\nb,c"d\ne')].map(({ line }) => line)).toEqual([1, 2, 3]);
  });

  it('ends, whatever it is made of', () => {
    const text = fc.string({ unit: fc.constantFrom('a', '"', ',', '\n', '\r'), maxLength: 40 });
    fc.assert(fc.property(text, (any) => expect([...readCsv(any)].length).toBeLessThanOrEqual(any.length)));
  });
});
