import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { Database } from '#store';
import { v7 } from 'uuid';
import { Refusal } from '../problem.js';

export const scopes = ['ingest', 'read', 'merge', 'admin'] as const;
export type Scope = (typeof scopes)[number];

/** Who calls. `entityId` null: the operator, who sees all entities. */
export interface Caller {
  readonly keyId: string;
  readonly actor: string;
  readonly entityId: string | null;
  readonly scopes: ReadonlySet<Scope>;
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
      return { keyId: 'operator', actor: 'operator', entityId: null, scopes: new Set(scopes) };
    const name = hash.toString('base64');
    const now = Date.now();
    const known = this.remembered.get(name);
    if (known !== undefined && now - known.readAt < rememberedMs && now < known.expiresAt) return known.caller;
    const row = await this.database.prisma.apiKey.findUnique({ where: { hash: new Uint8Array(hash) } });
    const expiresAt = row?.expiresAt?.getTime() ?? Number.POSITIVE_INFINITY;
    const valid = row !== null && row.revokedAt === null && now < expiresAt;
    const caller: Caller | null = valid
      ? { keyId: row.id, actor: `key:${row.id}`, entityId: row.entityId, scopes: new Set(row.scopes as Scope[]) }
      : null;
    if (this.remembered.size >= rememberedMax) this.remembered.clear();
    this.remembered.set(name, { caller, expiresAt, readAt: now });
    if (valid) this.noteUse(row.id, now);
    return caller;
  }

  async create(request: {
    entityId: string | null;
    name: string;
    scopes: readonly Scope[];
    expiresAt: Date | null;
  }): Promise<ApiKeyView & { key: string }> {
    if (request.entityId !== null) {
      const entity = await this.database.prisma.entity.findUnique({ where: { id: request.entityId } });
      if (entity === null) throw new Refusal('entity_not_found', 'no such entity');
    }
    const key = `ulk_${randomBytes(32).toString('base64url')}`;
    const row = await this.database.prisma.apiKey.create({
      data: {
        id: v7(),
        entityId: request.entityId,
        name: request.name,
        prefix: key.slice(0, 12),
        hash: new Uint8Array(digest(key)),
        scopes: [...new Set(request.scopes)],
        expiresAt: request.expiresAt,
      },
    });
    return { ...viewOf(row), key };
  }

  /** Newest first; `after` is the id to go on from. */
  async list(entityId: string | null, page: { after: string | null; limit: number }): Promise<ApiKeyView[]> {
    const rows = await this.database.prisma.apiKey.findMany({
      where: {
        revokedAt: null,
        ...(entityId === null ? {} : { entityId }),
        ...(page.after === null ? {} : { id: { gt: page.after } }),
      },
      orderBy: { id: 'asc' },
      take: page.limit,
    });
    return rows.map(viewOf);
  }

  async revoke(id: string, entityId: string | null): Promise<void> {
    const { count } = await this.database.prisma.apiKey.updateMany({
      where: { id, revokedAt: null, ...(entityId === null ? {} : { entityId }) },
      data: { revokedAt: new Date() },
    });
    if (count === 0) throw new Refusal('api_key_not_found', 'no such API key');
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

function viewOf(row: {
  id: string;
  entityId: string | null;
  name: string;
  prefix: string;
  scopes: string[];
  createdAt: Date;
  expiresAt: Date | null;
  lastUsedAt: Date | null;
}): ApiKeyView {
  const { id, entityId, name, prefix, createdAt, expiresAt, lastUsedAt } = row;
  return { id, entityId, name, prefix, scopes: row.scopes as Scope[], createdAt, expiresAt, lastUsedAt };
}
