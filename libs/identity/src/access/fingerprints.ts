import { createHmac } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { IdentitySettings } from '../settings.js';

/** Keyed digests of identities: all that may be kept of one that was erased, and useless without the pepper. */
@Injectable()
export class Fingerprints {
  constructor(private readonly settings: IdentitySettings) {}

  /** HMAC-SHA-256 in hex. */
  of(appId: string, openId: string): string {
    return createHmac('sha256', this.settings.pepper).update(`${appId}\n${openId}`).digest('hex');
  }
}
