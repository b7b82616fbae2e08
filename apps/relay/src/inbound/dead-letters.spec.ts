import { deadLetterRoomBytes, messageMaxBytes } from '../kafka/topics.js';
import { cutBySize, letterRecord } from './dead-letters.js';
import type { InboundRecord } from './inbox.js';

const record = (change: Partial<InboundRecord>): InboundRecord => ({
  topic: 'p.identity.observations.v1',
  partition: 5,
  offset: '77',
  timestamp: '1764057600000',
  key: Buffer.from('wx1:o1'),
  value: Buffer.from([0xff, 0x00]),
  headers: { reason: 'theirs', traceparent: 'kept' },
  ...change,
});
const reason = { code: 'not_json', detail: 'the value is not JSON' };

describe('A dead letter', () => {
  it('is the record as received, with why and from where', () => {
    expect(letterRecord('dead', { record: record({}), reason })).toEqual({
      topic: 'dead',
      key: Buffer.from('wx1:o1'),
      value: Buffer.from([0xff, 0x00]),
      headers: {
        traceparent: 'kept',
        reason: 'not_json',
        detail: 'the value is not JSON',
        'source-topic': 'p.identity.observations.v1',
        'source-partition': '5',
        'source-offset': '77',
        'source-timestamp': '1764057600000',
      },
    });
  });

  it('keeps what is missing missing', () => {
    const { key, value } = letterRecord('dead', { record: record({ key: null, value: null }), reason });
    expect([key, value]).toEqual([null, null]);
  });

  it('fits into its topic, however large the record was', () => {
    const large = [
      record({ value: Buffer.alloc(messageMaxBytes - 500) }),
      record({ value: Buffer.alloc(20 * messageMaxBytes) }),
      record({ key: Buffer.alloc(3 * messageMaxBytes), value: Buffer.alloc(messageMaxBytes) }),
      record({ headers: { huge: 'x'.repeat(messageMaxBytes) } }),
    ];
    const letters = large.map((one) => letterRecord('dead', { record: one, reason }));
    for (const { key, value, headers } of letters) {
      const headerBytes = JSON.stringify(headers).length;
      const bytes = Buffer.byteLength(key ?? '') + Buffer.byteLength(value ?? '') + headerBytes;
      expect(bytes).toBeLessThan(messageMaxBytes + deadLetterRoomBytes);
    }
    expect(letters[0]?.value).toEqual(large[0]?.value);
    expect(letters[1]?.headers['value-bytes']).toBe(String(20 * messageMaxBytes));
  });

  it('goes out with others in sends that a broker takes, in order', () => {
    const letters = Array.from({ length: 9 }, (_, index) =>
      letterRecord('dead', { record: record({ offset: String(index), value: Buffer.alloc(700_000) }), reason }),
    );
    const sends = cutBySize(letters);
    expect(sends.map((send) => send.length)).toEqual([2, 2, 2, 2, 1]);
    expect(sends.flat()).toEqual(letters);
    expect(cutBySize([])).toEqual([]);
  });
});
