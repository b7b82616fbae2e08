import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';

/** Without a key id: from before SECRETS_KEY could be rotated. Still opened, never written. */
const versionWithoutKeyId = 1;
const version = 2;
const keyIdBytes = 4;
const ivBytes = 12;
const tagBytes = 16;

interface Key {
  readonly id: Buffer;
  readonly key: Buffer;
}

/**
 * Seals secrets at rest: AES-256-GCM under a key derived from SECRETS_KEY. The place a secret belongs to is
 * authenticated with it, so a sealed value copied to another row does not open there. The id of the key stands in front
 * of what it sealed, so that while SECRETS_KEY is rotated either of the two keys opens what is its own.
 */
export class Sealer {
  private readonly current: Key;
  private readonly all: readonly Key[];

  /** Seals with the first key, opens with either. */
  constructor(secretsKey: Buffer, previous: Buffer | null = null) {
    this.current = keyOf(secretsKey);
    this.all = previous === null ? [this.current] : [this.current, keyOf(previous)];
  }

  /** Form 2: one byte for the form, four for the key, 12 of iv, 16 of tag, then the body. */
  seal(plain: string | Buffer, place: string): Buffer {
    const iv = randomBytes(ivBytes);
    const cipher = createCipheriv('aes-256-gcm', this.current.key, iv).setAAD(Buffer.from(place));
    const body = Buffer.concat([cipher.update(plain), cipher.final()]);
    return Buffer.concat([Buffer.from([version]), this.current.id, iv, cipher.getAuthTag(), body]);
  }

  /** Throws where the value was sealed with a key we do not have, for another place, or is damaged. */
  open(sealed: Uint8Array, place: string): Buffer {
    const bytes = Buffer.from(sealed);
    const start = bytes[0] === version ? 1 + keyIdBytes : 1;
    if ((bytes[0] !== version && bytes[0] !== versionWithoutKeyId) || bytes.length < start + ivBytes + tagBytes)
      throw new Error(`what is sealed at ${place} is not in a known form`);
    const keys = bytes[0] === version ? this.all.filter(({ id }) => id.equals(bytes.subarray(1, start))) : this.all;
    let cause: unknown;
    for (const { key } of keys) {
      try {
        return decrypt(bytes.subarray(start), key, place);
      } catch (error) {
        cause = error;
      }
    }
    const why = 'SECRETS_KEY is not the one it was sealed with, nor SECRETS_KEY_PREVIOUS';
    throw new Error(`what is sealed at ${place} does not open: ${why}`, { cause });
  }

  /** Whether it was sealed with the present SECRETS_KEY, in the present form. */
  isCurrent(sealed: Uint8Array): boolean {
    const bytes = Buffer.from(sealed);
    return bytes[0] === version && bytes.subarray(1, 1 + keyIdBytes).equals(this.current.id);
  }
}

function decrypt(bytes: Buffer, key: Buffer, place: string): Buffer {
  const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, ivBytes))
    .setAAD(Buffer.from(place))
    .setAuthTag(bytes.subarray(ivBytes, ivBytes + tagBytes));
  return Buffer.concat([decipher.update(bytes.subarray(ivBytes + tagBytes)), decipher.final()]);
}

/** The id says nothing of the key: both are derived, under different names. */
function keyOf(secretsKey: Buffer): Key {
  const derive = (name: string, bytes: number): Buffer => Buffer.from(hkdfSync('sha256', secretsKey, '', name, bytes));
  return { id: derive('unionlink key id', keyIdBytes), key: derive('unionlink seal v1', 32) };
}
