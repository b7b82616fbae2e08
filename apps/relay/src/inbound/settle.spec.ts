import { Refusal } from '#identity';
import { DatabaseUnavailable } from '#store';
import type { Inbox, InboundRecord } from './inbox.js';
import { parseJson } from './inbox.js';
import { settle } from './settle.js';

const record = (offset: number, key: string, value: string | Buffer | null): InboundRecord => ({
  topic: 'topic',
  partition: 0,
  offset: String(offset),
  timestamp: '1764057600000',
  key: Buffer.from(key),
  value: value === null ? null : Buffer.from(value),
  headers: {},
});

/** Does what `fail` says at each try of each record, else notes it as done. */
function inboxThat(fail: (offset: string, tries: number) => unknown): { inbox: Inbox; done: string[] } {
  const done: string[] = [];
  const tries = new Map<string, number>();
  const inbox: Inbox = {
    chunkMax: 100,
    read: (one) => {
      parseJson(one);
      return {
        keys: [String(one.key)],
        apply: async () => {
          await new Promise((resolve) => setImmediate(resolve));
          const tried = (tries.get(one.offset) ?? 0) + 1;
          tries.set(one.offset, tried);
          const failure = fail(one.offset, tried);
          if (failure !== undefined) throw failure;
          done.push(one.offset);
        },
      };
    },
  };
  return { inbox, done };
}

const pace = { later: () => Promise.resolve(), fault: () => undefined };

describe('Settling inbound records', () => {
  it('answers what is not JSON, and does the rest', async () => {
    const { inbox, done } = inboxThat(() => undefined);
    const bad = ['', '{', '{"a":1', Buffer.from([0x22, 0xff, 0xfe, 0x22]), null];
    const records = bad.flatMap((value, index) => [record(index * 2, 'a', value), record(index * 2 + 1, 'a', '1')]);
    const letters = await settle(records, inbox, pace);
    expect(letters.map((letter) => [letter.record.offset, letter.reason.code])).toEqual(
      ['0', '2', '4', '6', '8'].map((offset) => [offset, 'not_json']),
    );
    expect(done).toEqual(['1', '3', '5', '7', '9']);
  });

  it('answers a refusal with its code and the fields at fault', async () => {
    const errors = [
      { path: 'openId', message: 'openId must be text' },
      { path: 'more', message: 'is unknown' },
    ];
    const { inbox } = inboxThat(() => new Refusal('invalid_request', 'not valid', { errors }));
    const [letter] = await settle([record(7, 'a', '{}')], inbox, pace);
    expect(letter?.reason).toEqual({
      code: 'invalid_request',
      detail: 'not valid; openId must be text; more: is unknown',
    });
  });

  it('waits for what is away, and lets nothing of the same key overtake meanwhile', async () => {
    const { inbox, done } = inboxThat((offset, tries) =>
      offset === '0' && tries < 4 ? new DatabaseUnavailable('away') : undefined,
    );
    let waits = 0;
    const records = [record(0, 'a', '1'), record(1, 'b', '1'), record(2, 'a', '1')];
    const letters = await settle(records, inbox, { ...pace, later: () => Promise.resolve(void (waits += 1)) });
    expect(letters).toEqual([]);
    expect(done).toEqual(['1', '0', '2']);
    expect(waits).toBe(3);
  });

  it('waits without end for a server that is not as it should be: that is no fault of a record', async () => {
    const notMigrated = Object.assign(new Error('relation does not exist'), { code: '42P01' });
    const { inbox, done } = inboxThat((_offset, tries) => (tries < 50 ? notMigrated : undefined));
    expect(await settle([record(0, 'a', '1')], inbox, pace)).toEqual([]);
    expect(done).toEqual(['0']);
  });

  it('puts a record aside whose fault stays, and says so to whoever can mend it', async () => {
    const { inbox, done } = inboxThat((offset) => (offset === '1' ? new TypeError('a bug') : undefined));
    const faults: unknown[] = [];
    const records = [record(0, 'a', '1'), record(1, 'a', '1'), record(2, 'a', '1')];
    const letters = await settle(records, inbox, { ...pace, fault: (why) => faults.push(why) });
    expect(letters.map((letter) => [letter.record.offset, letter.reason.code])).toEqual([['1', 'internal']]);
    expect(done).toEqual(['0', '2']);
    expect(faults).toEqual([new TypeError('a bug')]);
  });

  it('ends at once when nothing more may be done, and answers nothing', async () => {
    const { inbox } = inboxThat(() => new DatabaseUnavailable('away'));
    await expect(
      settle([record(0, 'a', '1')], inbox, { ...pace, later: () => Promise.reject(new Error('stopping')) }),
    ).rejects.toThrow('stopping');
  });
});
