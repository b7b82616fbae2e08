import { ApiProperty } from '@nestjs/swagger';
import type { AppKind, Scope } from '#identity';

export class EntityAnswer {
  id: string;
  entityId: string;
  name: string;
  createdAt: Date;
  updatedAt: Date;
}

export class EntityPage {
  @ApiProperty({ type: [EntityAnswer] })
  items: readonly EntityAnswer[];
  nextCursor: string | null;
}

export class OpenPlatformAnswer extends EntityAnswer {
  openPlatformId: string;
}

export class OpenPlatformPage {
  @ApiProperty({ type: [OpenPlatformAnswer] })
  items: readonly OpenPlatformAnswer[];
  nextCursor: string | null;
}

export class AppAnswer {
  id: string;
  appId: string;
  entityId: string;
  kind: AppKind;
  name: string;
  openPlatformId: string | null;
  originalId: string | null;
  sandbox: boolean;
  hasSecret: boolean;
  hasPush: boolean;
  /** Whom WeChat's cloud hosting names in its headers is taken at its word. */
  cloudHosting: boolean;
  createdAt: Date;
  updatedAt: Date;
}

export class AppPage {
  @ApiProperty({ type: [AppAnswer] })
  items: readonly AppAnswer[];
  nextCursor: string | null;
}

export class ApiKeyAnswer {
  id: string;
  /** Null: an operator's key. */
  entityId: string | null;
  name: string;
  /** How the key begins: enough to find it, not to use it. */
  prefix: string;
  @ApiProperty({ enum: ['ingest', 'read', 'merge', 'admin'], isArray: true })
  scopes: readonly Scope[];
  createdAt: Date;
  expiresAt: Date | null;
  lastUsedAt: Date | null;
  /** Whose own key it is; null: nobody's. */
  participant: string | null;
}

export class ApiKeyMadeAnswer extends ApiKeyAnswer {
  /** Shown this once. */
  key: string;
}

export class ApiKeyRotatedAnswer extends ApiKeyMadeAnswer {
  /** The key it takes over from. */
  replaces: string;
  /** Until when that one goes on. */
  previousExpiresAt: Date;
}

export class ApiKeyPage {
  @ApiProperty({ type: [ApiKeyAnswer] })
  items: readonly ApiKeyAnswer[];
  nextCursor: string | null;
}
