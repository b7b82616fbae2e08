import fc from 'fast-check';
import { EventStream } from './event-stream.js';

const events = [
  { id: '1.a..b.1', data: { name: '张三 — 李四', note: 'é', emoji: '🀄️👩‍👩‍👧' } },
  { id: '1.a..b.2', data: { text: 'line\nbreak\r\nand\u2028more', colons: ': id: x' } },
  { id: '1.a..b.3', data: { long: 'x'.repeat(300) } },
];

const written = (lineEnd: string): Uint8Array => {
  const blocks = events.map(({ id, data }) => [`id: ${id}`, 'event: e', `data: ${JSON.stringify(data)}`, '']);
  const lines = [': hello', '', ...blocks.flat(), ': still here', '', ''];
  return new TextEncoder().encode(lines.join(lineEnd));
};

/** All that a stream tells that comes in these pieces. */
async function told(bytes: Uint8Array, cuts: readonly number[]): Promise<{ items: unknown[]; cursors: string[] }> {
  const ends = [...new Set(cuts.map((cut) => cut % bytes.length))].toSorted((a, b) => a - b);
  const pieces = [0, ...ends].map((start, n) => bytes.slice(start, ends[n] ?? bytes.length));
  const stream = new EventStream(ReadableStream.from(pieces), 'start');
  const [items, cursors]: [unknown[], string[]] = [[], []];
  for (let page = await stream.next(); page !== null; page = await stream.next()) {
    items.push(...page.items);
    cursors.push(page.nextCursor);
    // The place is the one of the last event that was handed over: no further, and no less far.
    expect(page.nextCursor).toBe(events[items.length - 1]?.id);
  }
  return { items, cursors };
}

describe('A stream of events', () => {
  const expected = events.map(({ data }) => data);

  it.each(['\n', '\r\n', '\r'])('is understood wherever it is cut, with lines that end with %j', async (lineEnd) => {
    const bytes = written(lineEnd);
    for (let cut = 0; cut < bytes.length; cut += 1) expect((await told(bytes, [cut])).items).toEqual(expected);
    const all = Array.from(bytes, (_, n) => n);
    expect((await told(bytes, all)).items).toEqual(expected);
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(bytes.length - 1)), async (cuts) => {
        expect((await told(bytes, cuts)).items).toEqual(expected);
      }),
    );
  });

  it('that ends in the middle of an event tells what was before it', async () => {
    const bytes = written('\n');
    for (let length = 0; length < bytes.length; length += 1) {
      const { items, cursors } = await told(bytes.slice(0, Math.max(length, 1)), []);
      expect(items).toEqual(expected.slice(0, items.length));
      expect(cursors.at(-1)).toBe(events[items.length - 1]?.id);
    }
  });

  it('that tells what is no event breaks, and with it the place stays', async () => {
    const broken = new TextEncoder().encode('id: 1\ndata: {"half\n\n');
    await expect(new EventStream(ReadableStream.from([broken]), 'start').next()).rejects.toThrow(SyntaxError);
  });
});
