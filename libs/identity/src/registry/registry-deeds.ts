import type { PutNamed, Transaction } from '#store';
import { recordDeed } from '#store';
import type { Author } from '../access/deeds.js';
import { differences } from '../access/deeds.js';

/** Who, of which entity, and to what. */
export interface Doing extends Author {
  readonly entityId: string;
  readonly subject: string;
}

/** What is shown of an app in the audit, from what to what. */
export interface AuditedApp {
  readonly kind: string;
  readonly name: string;
  readonly openPlatformId: string | null;
  readonly originalId: string | null;
  readonly sandbox: boolean;
  readonly cloudHosting: boolean;
}

const appFields = ['kind', 'name', 'openPlatformId', 'originalId', 'sandbox', 'cloudHosting'] as const;

export async function recordNaming(
  transaction: Transaction,
  doing: Doing,
  what: 'entity' | 'open_platform',
  { created, formerName, value }: PutNamed,
): Promise<void> {
  if (!created && formerName === value.name) return;
  const details = created ? { name: value.name } : { name: { from: formerName, to: value.name } };
  await recordDeed(transaction, { ...doing, action: `${what}.${created ? 'registered' : 'changed'}`, details });
}

/** Of secrets only that they were set. Nothing is written where nothing changed. */
export async function recordApp(
  transaction: Transaction,
  doing: Doing,
  created: boolean,
  { appSecret, push }: { readonly appSecret?: string | undefined; readonly push?: object | undefined },
  [before, after]: readonly [AuditedApp, AuditedApp],
): Promise<void> {
  const changed = differences(before, after, appFields);
  const set = [...(appSecret === undefined ? [] : ['appSecret']), ...(push === undefined ? [] : ['push'])];
  if (!created && set.length === 0 && Object.keys(changed).length === 0) return;
  const details = { ...(created ? { kind: after.kind, name: after.name } : {}), changed, set };
  await recordDeed(transaction, { ...doing, action: created ? 'app.registered' : 'app.changed', details });
}
