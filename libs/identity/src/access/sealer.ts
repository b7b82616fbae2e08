import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';

const version = 1;
const ivBytes = 12;
const tagBytes = 16;

/**
 * Seals secrets at rest: AES-256-GCM under a key derived from SECRETS_KEY. The place a secret belongs to is
 * authenticated with it, so a sealed value copied to another row does not open there.
 */
export class Sealer {
  private readonly key: Buffer;

  constructor(secretsKey: Buffer) {
    this.key = Buffer.from(hkdfSync('sha256', secretsKey, '', 'unionlink seal v1', 32));
  }

  seal(plain: string | Buffer, place: string): Buffer {
    const iv = randomBytes(ivBytes);
    const cipher = createCipheriv('aes-256-gcm', this.key, iv).setAAD(Buffer.from(place));
    const body = Buffer.concat([cipher.update(plain), cipher.final()]);
    return Buffer.concat([Buffer.from([version]), iv, cipher.getAuthTag(), body]);
  }

  /** Throws where the value was sealed with another SECRETS_KEY, for another place, or is damaged. */
  open(sealed: Uint8Array, place: string): Buffer {
    const bytes = Buffer.from(sealed);
    if (bytes[0] !== version || bytes.length < 1 + ivBytes + tagBytes)
      throw new Error(`what is sealed at ${place} is not in a known form`);
    const decipher = createDecipheriv('aes-256-gcm', this.key, bytes.subarray(1, 1 + ivBytes))
      .setAAD(Buffer.from(place))
      .setAuthTag(bytes.subarray(1 + ivBytes, 1 + ivBytes + tagBytes));
    try {
      return Buffer.concat([decipher.update(bytes.subarray(1 + ivBytes + tagBytes)), decipher.final()]);
    } catch (cause) {
      throw new Error(`what is sealed at ${place} does not open: SECRETS_KEY is not the one it was sealed with`, {
        cause,
      });
    }
  }
}
