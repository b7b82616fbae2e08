import { createCipheriv, hkdfSync } from 'node:crypto';
import { Sealer } from './sealer.js';

const [one, two, three] = [1, 2, 3].map((byte) => Buffer.alloc(32, byte)) as [Buffer, Buffer, Buffer];

/** As it was sealed before keys had ids. */
function sealedInForm1(secretsKey: Buffer, plain: string, place: string): Buffer {
  const key = Buffer.from(hkdfSync('sha256', secretsKey, '', 'unionlink seal v1', 32));
  const iv = Buffer.alloc(12, 9);
  const cipher = createCipheriv('aes-256-gcm', key, iv).setAAD(Buffer.from(place));
  const body = Buffer.concat([cipher.update(plain), cipher.final()]);
  return Buffer.concat([Buffer.from([1]), iv, cipher.getAuthTag(), body]);
}

describe('A sealer', () => {
  it('opens with either key what each of them sealed, and seals with the first', () => {
    const [before, during, after] = [new Sealer(one, two), new Sealer(two, one), new Sealer(two)];
    const [old, fresh] = [before.seal('secret', 'place'), during.seal('secret', 'place')];
    for (const sealer of [before, during])
      for (const sealed of [old, fresh]) expect(sealer.open(sealed, 'place').toString()).toBe('secret');
    expect(after.open(fresh, 'place').toString()).toBe('secret');
    expect(() => after.open(old, 'place')).toThrow('SECRETS_KEY is not the one');
    expect([during.isCurrent(old), during.isCurrent(fresh), before.isCurrent(old)]).toEqual([false, true, true]);
  });

  it('opens what was sealed before keys had ids, with whichever of its keys fits, and calls it not current', () => {
    const sealed = sealedInForm1(one, 'secret', 'place');
    for (const sealer of [new Sealer(one), new Sealer(one, two), new Sealer(two, one)]) {
      expect(sealer.open(sealed, 'place').toString()).toBe('secret');
      expect(sealer.isCurrent(sealed)).toBe(false);
    }
    expect(() => new Sealer(two, three).open(sealed, 'place')).toThrow('does not open');
  });

  it('opens nothing at another place, nothing damaged, and nothing that is no sealed value', () => {
    const sealer = new Sealer(one, two);
    const sealed = sealer.seal('secret', 'app:a:secret');
    expect(() => sealer.open(sealed, 'app:b:secret')).toThrow('does not open');
    for (let at = 0; at < sealed.length; at += 1) {
      const damaged = Buffer.from(sealed);
      damaged[at] = (damaged[at] ?? 0) ^ 0x80;
      expect(() => sealer.open(damaged, 'app:a:secret')).toThrow('sealed at app:a:secret');
    }
    for (const length of [0, 1, 5, 20, 32])
      expect(() => sealer.open(sealed.subarray(0, length), 'app:a:secret')).toThrow('known form');
    expect(sealer.open(sealer.seal('', 'p'), 'p')).toHaveLength(0);
  });
});
