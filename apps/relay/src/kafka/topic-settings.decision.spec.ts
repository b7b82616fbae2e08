import { decideSettings, type FoundSetting } from './topic-settings.decision.js';

const own = (name: string, value: string): FoundSetting => ({ name, value, isOwn: true });
const given = (name: string, value: string): FoundSetting => ({ name, value, isOwn: false });

describe('The settings of a topic that was there before', () => {
  it('are left where they are as wanted, whoever set them', () => {
    const wanted = [
      { name: 'message.timestamp.type', value: 'CreateTime' },
      { name: 'max.message.bytes', value: '2097152' },
    ];
    const found = [given('message.timestamp.type', 'CreateTime'), own('max.message.bytes', '2097152')];
    expect(decideSettings(wanted, found)).toEqual({ mended: null, left: [] });
  });

  it('get what they lack, and keep what others have set', () => {
    const found = [
      given('max.message.bytes', '1048588'),
      given('segment.ms', '1000'),
      own('segment.bytes', '5000'),
      own('message.timestamp.type', 'LogAppendTime'),
    ];
    const wanted = [
      { name: 'max.message.bytes', value: '2097152' },
      { name: 'message.timestamp.type', value: 'CreateTime' },
    ];
    expect(decideSettings(wanted, found)).toEqual({
      mended: [{ name: 'segment.bytes', value: '5000' }, ...wanted],
      left: [],
    });
  });

  it.each(['max.message.bytes', 'delete.retention.ms', 'min.compaction.lag.ms', 'min.insync.replicas'])(
    'may be more than is needed: %s',
    (name) => {
      expect(decideSettings([{ name, value: '2' }], [own(name, '3')])).toEqual({ mended: null, left: [] });
      expect(decideSettings([{ name, value: '2' }], [own(name, '1')])).toEqual({
        mended: [{ name, value: '2' }],
        left: [],
      });
    },
  );

  it('may be packed by the broker as everybody can read it, and not otherwise', () => {
    const wanted = [{ name: 'compression.type', value: 'producer' }];
    for (const good of ['producer', 'gzip', 'uncompressed'])
      expect(decideSettings(wanted, [own('compression.type', good)]).mended).toBeNull();
    for (const found of [own('compression.type', 'zstd'), given('compression.type', 'lz4')])
      expect(decideSettings(wanted, [found]).mended).toEqual(wanted);
    const unpacked = [{ name: 'compression.type', value: 'uncompressed' }];
    expect(decideSettings(unpacked, [own('compression.type', 'gzip')]).mended).toEqual(unpacked);
  });

  it('keep a retention that was chosen for them, and a shorter one is told', () => {
    const wanted = [{ name: 'retention.ms', value: '100' }];
    for (const enough of ['100', '101', '-1'])
      expect(decideSettings(wanted, [own('retention.ms', enough)])).toEqual({ mended: null, left: [] });
    expect(decideSettings(wanted, [own('retention.ms', '99')])).toEqual({ mended: null, left: ['retention.ms'] });
    expect(decideSettings(wanted, [given('retention.ms', '99')])).toEqual({ mended: wanted, left: [] });
  });
});
