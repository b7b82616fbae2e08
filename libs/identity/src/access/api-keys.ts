import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import type { ApiKeyRow, NewApiKey } from '#store';
import { addApiKey, Database, endApiKey, listApiKeys, lockApiKey, recordDeed, revokeApiKey } from '#store';
import { v7 } from 'uuid';
import { Refusal } from '../problem.js';
import type { Author } from './deeds.js';

export const scopes = ['ingest', 'read', 'merge', 'admin'] as const;
export type Scope = (typeof scopes)[number];

/** Who calls. `entityId` null: the operator, who sees all entities. */
export interface Caller {
  readonly keyId: string;
  readonly actor: string;
  readonly entityId: string | null;
  readonly scopes: ReadonlySet<Scope>;
  /** The participant whose own key it is; null: nobody's. */
  readonly participant: string | null;
}

export interface ApiKeyView {
  readonly id: string;
  readonly entityId: string | null;
  readonly name: string;
  readonly prefix: string;
  readonly scopes: readonly Scope[];
  readonly createdAt: Date;
  readonly expiresAt: Date | null;
  readonly lastUsedAt: Date | null;
  readonly participant: string | null;
}

interface Remembered {
  readonly caller: Caller | null;
  readonly expiresAt: number;
  readonly readAt: number;
}

/** A revoked key may live this long on other replicas; on the one that revoked it, it ends at once. */
const rememberedMs = 1_000;
const rememberedMax = 10_000;
const lastUsedEveryMs = 60_000;

const digest = (key: string): Buffer => createHash('sha256').update(key).digest();

/** Keys are 256 random bits, kept only as a SHA-256 digest. */
@Injectable()
export class ApiKeys {
  private readonly remembered = new Map<string, Remembered>();
  private readonly lastUsed = new Map<string, number>();
  private readonly operatorDigest: Buffer | null;

  constructor(
    private readonly database: Database,
    operatorKey: string | null,
  ) {
    this.operatorDigest = operatorKey === null ? null : digest(operatorKey);
  }

  /** Null: no such key, or expired, or revoked. */
  async authenticate(key: string): Promise<Caller | null> {
    const hash = digest(key);
    if (this.operatorDigest !== null && timingSafeEqual(hash, this.operatorDigest))
      return { keyId: 'operator', actor: 'operator', entityId: null, scopes: new Set(scopes), participant: null };
    const name = hash.toString('base64');
    const now = Date.now();
    const known = this.remembered.get(name);
    if (known !== undefined && now - known.readAt < rememberedMs && now < known.expiresAt) return known.caller;
    const row = await this.database.prisma.apiKey.findUnique({ where: { hash: new Uint8Array(hash) } });
    const expiresAt = row?.expiresAt?.getTime() ?? Number.POSITIVE_INFINITY;
    const valid = row !== null && row.revokedAt === null && now < expiresAt;
    const caller: Caller | null = valid
      ? {
          keyId: row.id,
          actor: `key:${row.id}`,
          entityId: row.entityId,
          scopes: new Set(row.scopes as Scope[]),
          participant: row.participant,
        }
      : null;
    if (this.remembered.size >= rememberedMax) this.remembered.clear();
    this.remembered.set(name, { caller, expiresAt, readAt: now });
    if (valid) this.noteUse(row.id, now);
    return caller;
  }

  async create(
    request: {
      readonly entityId: string | null;
      readonly name: string;
      readonly scopes: readonly Scope[];
      readonly expiresAt: Date | null;
      readonly participant: string | null;
    },
    by: Author,
  ): Promise<ApiKeyView & { key: string }> {
    const { entityId, name, participant } = request;
    if (entityId !== null) {
      const entity = await this.database.prisma.entity.findUnique({ where: { id: entityId } });
      if (entity === null) throw new Refusal('entity_not_found', 'no such entity');
    }
    const scopesOf = [...new Set(request.scopes)];
    const { key, row } = draw({ ...request, scopes: scopesOf, replaces: null });
    const made = await this.database.transaction(async (transaction) => {
      const added = await addApiKey(transaction, row);
      const details = { name, prefix: row.prefix, scopes: scopesOf, expiresAt: row.expiresAt, participant };
      await recordDeed(transaction, { ...by, entityId, action: 'api_key.created', subject: row.id, details });
      return added;
    });
    return { ...viewOf(made), key };
  }

  /**
   * A new key with the same rights; the old one goes on for so many seconds, so that whoever uses it can change over
   * without a gap. A key has one successor: throws `api_key_rotated` with it.
   */
  async rotate(
    id: string,
    entityId: string | null,
    graceSeconds: number,
    by: Author,
  ): Promise<ApiKeyView & { key: string; replaces: string; previousExpiresAt: Date }> {
    const rotated = await this.database.transaction(async (transaction) => {
      const old = await lockApiKey(transaction, id, entityId);
      if (old === null) throw new Refusal('api_key_not_found', 'no such API key');
      const { replacedBy } = old;
      if (replacedBy !== null) throw new Refusal('api_key_rotated', 'this key was rotated before', { replacedBy });
      const { key, row } = draw({ ...old, replaces: id });
      const made = await addApiKey(transaction, row);
      const previousExpiresAt = await endApiKey(transaction, id, graceSeconds);
      const details = { name: old.name, by: row.id, prefix: row.prefix, previousExpiresAt };
      await recordDeed(transaction, { ...by, entityId: old.entityId, action: 'api_key.rotated', subject: id, details });
      return { ...viewOf(made), key, replaces: id, previousExpiresAt };
    });
    this.remembered.clear();
    return rotated;
  }

  /** Oldest first; `after` is the id to go on from. */
  async list(
    entityId: string | null,
    page: { readonly after: string | null; readonly limit: number; readonly prefix: string | null },
  ): Promise<ApiKeyView[]> {
    return (await listApiKeys(this.database, { entityId, ...page })).map(viewOf);
  }

  async revoke(id: string, entityId: string | null, by: Author): Promise<void> {
    await this.database.transaction(async (transaction) => {
      const row = await revokeApiKey(transaction, id, entityId);
      if (row === null) throw new Refusal('api_key_not_found', 'no such API key');
      const { name, prefix } = row;
      const deed = { entityId: row.entityId, action: 'api_key.revoked', subject: id, details: { name, prefix } };
      await recordDeed(transaction, { ...by, ...deed });
    });
    this.remembered.clear();
  }

  /** At most once a minute and key, outside the request: the warm path writes nothing. */
  private noteUse(id: string, now: number): void {
    if (now - (this.lastUsed.get(id) ?? 0) < lastUsedEveryMs) return;
    this.lastUsed.set(id, now);
    this.database.prisma.apiKey
      .updateMany({ where: { id }, data: { lastUsedAt: new Date(now) } })
      .catch(() => this.lastUsed.delete(id));
  }
}

const prefixLength = 12;

function draw(request: Omit<NewApiKey, 'id' | 'prefix' | 'hash'>): { key: string; row: NewApiKey } {
  const key = `ulk_${randomBytes(32).toString('base64url')}`;
  const { entityId, name, scopes: scopesOf, expiresAt, replaces, participant } = request;
  const row = { entityId, name, scopes: scopesOf, expiresAt, replaces, participant };
  return { key, row: { ...row, id: v7(), prefix: key.slice(0, prefixLength), hash: digest(key) } };
}

function viewOf({
  id,
  entityId,
  name,
  prefix,
  scopes: scopesOf,
  createdAt,
  expiresAt,
  lastUsedAt,
  participant,
}: ApiKeyRow): ApiKeyView {
  return { id, entityId, name, prefix, scopes: scopesOf as Scope[], createdAt, expiresAt, lastUsedAt, participant };
}
