import { createPrivateKey } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import type { JWK } from 'jose';
import { exportJWK, exportPKCS8, generateKeyPair } from 'jose';
import type { NewSigningKey } from '#store';
import {
  addFirstSigningKey,
  addNextSigningKey,
  Database,
  dropSpentSigningKeys,
  readSigningKeys,
  recordDeed,
  withdrawSigningKey,
} from '#store';
import { v7 } from 'uuid';
import type { Author } from '../access/deeds.js';
import { Sealer } from '../access/sealer.js';
import { isRotationDue, keyThatSigns } from './signing-keys.decision.js';

/** A retired key is shown until the last token signed with it has expired: under three days, by contract. */
const shownAfterRetiringSeconds = 3 * 24 * 3600;
/** Well under the time a key is published ahead, so that every replica has it before it signs. */
const rememberedMs = 10_000;
/** Longer than verifiers keep the published keys: ours are cached for 5 minutes, jose's default is 10. */
export const publishAheadSeconds = 3600;

interface SigningKey {
  readonly kid: string;
  readonly sealed: Buffer;
  readonly publicJwk: JWK;
  readonly signsFromMs: number;
}

/**
 * The keys that sessions are signed with: a line in which each is published before it signs and shown until its last
 * token has expired. Which one signs is a matter of time alone, so that replicas need not agree on a moment.
 */
@Injectable()
export class SigningKeys {
  private line: { readonly keys: readonly SigningKey[]; readonly readAt: number } | null = null;
  private opened: { readonly kid: string; readonly key: ReturnType<typeof createPrivateKey> } | null = null;

  constructor(
    private readonly database: Database,
    private readonly sealer: Sealer,
    /** After how many days a key gets its successor; 0: only by hand. */
    private readonly rotateDays: number,
  ) {}

  /** What to sign with just now. */
  async current(): Promise<{ readonly kid: string; readonly key: ReturnType<typeof createPrivateKey> }> {
    const signing = keyThatSigns(await this.keys(), Date.now());
    if (signing === undefined) throw new Error('a signing key was just made');
    const { kid, sealed } = signing;
    if (this.opened?.kid !== kid)
      this.opened = { kid, key: createPrivateKey(this.sealer.open(sealed, placeOf(kid)).toString()) };
    return this.opened;
  }

  /** The keys that tokens in circulation, or to come, may be signed with. */
  async published(): Promise<JWK[]> {
    // Read afresh: what is published must not lag behind what is in the line, and the answer is cached by its readers.
    this.line = null;
    return (await this.keys()).map(({ publicJwk }) => publicJwk);
  }

  /** The line as it stands, newest first. */
  async list(): Promise<{ kid: string; signsFrom: Date }[]> {
    this.line = null;
    return (await this.keys()).map(({ kid, signsFromMs }) => ({ kid, signsFrom: new Date(signsFromMs) }));
  }

  /**
   * Puts a new key in the line, to sign in so many seconds. Null: a successor is waiting already. With 0 seconds it signs
   * at once, and verifiers fetch the keys again for the unknown `kid`.
   */
  async rotate(signsInSeconds: number, by: Author): Promise<{ kid: string } | null> {
    await this.keys();
    const next = await this.make();
    const deed = { entityId: null, action: 'signing_key.rotated', subject: next.kid, details: { signsInSeconds } };
    const added = await this.database.transaction(async (transaction) => {
      const isNext = await addNextSigningKey(transaction, next, signsInSeconds);
      if (isNext) await recordDeed(transaction, { ...by, ...deed });
      return isNext;
    });
    this.line = null;
    return added ? { kid: next.kid } : null;
  }

  /** Rotates where the newest key is old enough. Answers how many were made; safe on any number of replicas. */
  async rotateByAge(): Promise<number> {
    if (this.rotateDays === 0) return 0;
    const rows = await readSigningKeys(this.database, shownAfterRetiringSeconds);
    const now = Date.now();
    const line = rows.map((row) => ({ signsFromMs: now + row.signs_in_ms }));
    if (!isRotationDue(line, now, { rotateDays: this.rotateDays, publishAheadSeconds })) return 0;
    return (await this.rotate(publishAheadSeconds, { actor: 'service', requestId: null })) === null ? 0 : 1;
  }

  /** Voids every token that a retired key has signed: for a key that has leaked. False: no such key, or it signs. */
  async withdraw(kid: string, by: Author): Promise<boolean> {
    const withdrawn = await this.database.transaction(async (transaction) => {
      const isGone = await withdrawSigningKey(transaction, kid);
      const deed = { entityId: null, action: 'signing_key.withdrawn', subject: kid, details: {} };
      if (isGone) await recordDeed(transaction, { ...by, ...deed });
      return isGone;
    });
    this.line = null;
    return withdrawn;
  }

  /** Destroys the private keys of which no token lives any more. */
  sweep(): Promise<number> {
    return dropSpentSigningKeys(this.database, shownAfterRetiringSeconds);
  }

  private async keys(): Promise<readonly SigningKey[]> {
    if (this.line !== null && Date.now() - this.line.readAt < rememberedMs) return this.line.keys;
    let keys = await this.read();
    if (keys.length === 0) {
      await addFirstSigningKey(this.database, await this.make());
      keys = await this.read();
    }
    this.line = { keys, readAt: Date.now() };
    return keys;
  }

  private async read(): Promise<SigningKey[]> {
    const rows = await readSigningKeys(this.database, shownAfterRetiringSeconds);
    const now = Date.now();
    return rows.map((row) => ({
      kid: row.kid,
      sealed: row.private_key,
      publicJwk: row.public_jwk,
      signsFromMs: now + row.signs_in_ms,
    }));
  }

  private async make(): Promise<NewSigningKey> {
    const pair = await generateKeyPair('EdDSA', { crv: 'Ed25519', extractable: true });
    const kid = v7();
    const publicJwk = { ...(await exportJWK(pair.publicKey)), kid, alg: 'EdDSA', use: 'sig' };
    return { kid, publicJwk, sealed: this.sealer.seal(await exportPKCS8(pair.privateKey), placeOf(kid)) };
  }
}

const placeOf = (kid: string): string => `signing-key:${kid}`;
