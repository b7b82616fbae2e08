import type { IdentityRef } from '#events';

/** One text for one identity. A newline occurs in neither part. */
export const identityKey = ({ appId, openId }: IdentityRef): string => `${appId}\n${openId}`;

/** Identities, each once. */
export class IdentitySet {
  private readonly byKey = new Map<string, IdentityRef>();

  constructor(identities: readonly IdentityRef[] = []) {
    for (const identity of identities) this.add(identity);
  }

  add({ appId, openId }: IdentityRef): void {
    this.byKey.set(identityKey({ appId, openId }), { appId, openId });
  }

  all(): readonly IdentityRef[] {
    return [...this.byKey.values()];
  }
}
