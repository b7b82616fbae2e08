import fc from 'fast-check';
import { wavesOf } from './waves.js';

interface Item {
  readonly place: number;
  readonly keys: readonly string[];
}

const sequences: fc.Arbitrary<Item[]> = fc
  .array(fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd', 'e'), { minLength: 1, maxLength: 2 }), { maxLength: 40 })
  .map((list) => list.map((keys, place) => ({ place, keys })));

describe('Waves', () => {
  it('hold every item once, in its order within each wave', () => {
    fc.assert(
      fc.property(sequences, (items) => {
        const waves = wavesOf(items);
        expect(waves.flat().toSorted((a, b) => a.place - b.place)).toEqual(items);
        for (const wave of waves) expect(wave).toEqual(wave.toSorted((a, b) => a.place - b.place));
      }),
    );
  });

  it('never hold two items that share a key, and keep the order of those that do', () => {
    fc.assert(
      fc.property(sequences, (items) => {
        const waveOf = new Map(wavesOf(items).flatMap((wave, index) => wave.map(({ place }) => [place, index])));
        for (const earlier of items)
          for (const later of items.slice(earlier.place + 1)) {
            if (!later.keys.some((key) => earlier.keys.includes(key))) continue;
            expect(waveOf.get(later.place)).toBeGreaterThan(waveOf.get(earlier.place) ?? Infinity);
          }
      }),
    );
  });

  it('are as few as the most repeated key needs, where each item has one', () => {
    const keys = ['a', 'b', 'a', 'c', 'a', 'b'];
    const waves = wavesOf(keys.map((key) => ({ keys: [key] })));
    expect(waves.map((wave) => wave.map((item) => item.keys[0]).join(''))).toEqual(['abc', 'ab', 'a']);
  });
});
