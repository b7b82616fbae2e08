import { createHash } from 'node:crypto';
import type { Database, Transaction } from './database.js';

/** Shapes of lock_and_load and apply_changes (prisma/migrations). Times are ISO 8601 in UTC with milliseconds. */

export interface UserRow {
  readonly id: string;
  readonly entityId: string;
  readonly status: 'live' | 'merged' | 'erased';
  readonly version: number;
  readonly mergedInto: string | null;
  readonly createdAt: string;
  /** What `createdAt` was before anybody was folded in. */
  readonly ownCreatedAt: string;
  /** The end of the chain, where the user is merged away. */
  readonly leadsTo: string | null;
}

export interface IdentityRow {
  readonly appId: string;
  readonly openId: string;
  readonly userId: string;
  readonly linkedAt: string;
  readonly viaOpenPlatformId: string | null;
  readonly viaUnionId: string | null;
  readonly pendingUnionId: string | null;
  readonly pendingReason: string | null;
  readonly pendingObservedAt: string | null;
}

export interface UnionKeyRow {
  readonly openPlatformId: string;
  readonly unionId: string;
  readonly userId: string;
  readonly linkedAt: string;
  readonly retiredAt: string | null;
}

export interface OpenConflictRow {
  readonly id: string;
  readonly kind: string;
  readonly appId: string;
  readonly openId: string;
  readonly unionId: string;
  readonly openPlatformId: string;
  readonly userIds: readonly string[];
  readonly count: number;
  readonly likelyCause: string;
}

/** All that is known of the locked users. */
export interface Loaded {
  readonly now: string;
  readonly users: readonly UserRow[];
  readonly identities: readonly IdentityRow[];
  readonly unionKeys: readonly UnionKeyRow[];
  /** Pairs of users that a human decided are two people; already led through redirects. */
  readonly separations: readonly { readonly id: string; readonly a: string; readonly b: string }[];
  readonly conflicts: readonly OpenConflictRow[];
  readonly departed: readonly { readonly fingerprint: string; readonly at: string; readonly erased: boolean }[];
  /** Of the identities asked for, those that WeChat replaced, with the ones that stand for them. */
  readonly retired: readonly RetiredRow[];
}

export interface RetiredRow {
  readonly appId: string;
  readonly openId: string;
  readonly byAppId: string;
  readonly byOpenId: string;
  readonly linkedAt: string;
}

/** What a change may touch. Keys are locked first, users after. */
export interface Wanted {
  readonly identities: readonly { readonly appId: string; readonly openId: string }[];
  readonly unionKeys: readonly {
    readonly entityId: string;
    readonly openPlatformId: string;
    readonly unionId: string;
  }[];
  readonly userIds: readonly string[];
  /** Hex fingerprints of identities whose departure matters. */
  readonly fingerprints: readonly string[];
}

/** Rows to write, by section; an absent one is not touched. */
export type ChangeSet = Readonly<Partial<Record<ChangeSection, readonly object[]>>> & {
  /** Users found to be older than they were stored, by an import. */
  readonly olderUsers?: readonly { readonly id: string; readonly createdAt: string }[];
  /** Whom identities left by an unlinking. */
  readonly unlinked?: readonly { readonly fingerprint: string; readonly userId: string }[];
};
export type ChangeSection = (typeof sections)[number];

/** In the order of apply_changes' parameters. */
const sections = [
  'users',
  'droppedIdentities',
  'newIdentities',
  'changedIdentities',
  'droppedUnionKeys',
  'newUnionKeys',
  'changedUnionKeys',
  'redirects',
  'merges',
  'revertedMerges',
  'separations',
  'conflicts',
  'departed',
  'journal',
] as const;

/** A key's number in the advisory lock space. A collision of two keys only makes one wait for the other. */
function lockNumber(...parts: readonly string[]): bigint {
  return createHash('sha1').update(parts.join('\n')).digest().readBigInt64BE(0);
}

function lockNumbers(wanted: Wanted): string[] {
  const numbers = new Set<bigint>();
  for (const key of wanted.identities) numbers.add(lockNumber('identity', key.appId, key.openId));
  for (const key of wanted.unionKeys) numbers.add(lockNumber('union', key.entityId, key.openPlatformId, key.unionId));
  return [...numbers].toSorted((a, b) => (a < b ? -1 : a > b ? 1 : 0)).map(String);
}

const utc = (time: string): string => new Date(time).toISOString();
const utcOrNull = (time: string | null): string | null => (time === null ? null : utc(time));

/** Locks in the fixed order and answers what is known. Throws SQLSTATE 40001 where ownership moved meanwhile. */
export async function lockAndLoad(transaction: Transaction, wanted: Wanted): Promise<Loaded> {
  const rows = await transaction.query<{ loaded: Loaded }>({
    name: 'lock-and-load',
    text: 'SELECT lock_and_load($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::uuid[], $8::bytea[]) AS loaded',
    values: [
      lockNumbers(wanted),
      wanted.identities.map((key) => key.appId),
      wanted.identities.map((key) => key.openId),
      wanted.unionKeys.map((key) => key.entityId),
      wanted.unionKeys.map((key) => key.openPlatformId),
      wanted.unionKeys.map((key) => key.unionId),
      [...new Set(wanted.userIds)],
      wanted.fingerprints.map((hex) => Buffer.from(hex, 'hex')),
    ],
  });
  const loaded = rows[0]?.loaded;
  if (loaded === undefined) throw new Error('lock_and_load answered nothing');
  return {
    now: utc(loaded.now),
    users: loaded.users.map((user) => ({
      ...user,
      createdAt: utc(user.createdAt),
      ownCreatedAt: utc(user.ownCreatedAt),
    })),
    identities: loaded.identities.map((identity) => ({ ...identity, linkedAt: utc(identity.linkedAt) })),
    unionKeys: loaded.unionKeys.map((key) => ({
      ...key,
      linkedAt: utc(key.linkedAt),
      retiredAt: utcOrNull(key.retiredAt),
    })),
    separations: loaded.separations,
    conflicts: loaded.conflicts,
    departed: loaded.departed.map((departure) => ({ ...departure, at: utc(departure.at) })),
    retired: loaded.retired.map((retired) => ({ ...retired, linkedAt: utc(retired.linkedAt) })),
  };
}

export async function applyChanges(transaction: Transaction, changes: ChangeSet): Promise<void> {
  const values = sections.map((section) => {
    const rows = changes[section];
    return rows === undefined || rows.length === 0 ? null : JSON.stringify(rows);
  });
  if (values.every((value) => value === null)) return;
  const text = `SELECT apply_changes(${sections.map((_, index) => `$${index + 1}::json`).join(', ')})`;
  await transaction.query({ name: 'apply-changes', text, values });
  if ((changes.journal?.length ?? 0) > 0) transaction.growsJournal();
  // Statements of their own, because they are rare.
  const { olderUsers = [], unlinked = [] } = changes;
  // What a revert gives back must be as old as the import said.
  if (olderUsers.length > 0)
    await transaction.query({
      name: 'older-users',
      text: `UPDATE users SET own_created_at = least(own_created_at, r."createdAt")
        FROM json_to_recordset($1::json) AS r(id uuid, "createdAt" timestamptz) WHERE users.id = r.id`,
      values: [JSON.stringify(olderUsers)],
    });
  if (unlinked.length > 0)
    await transaction.query({
      name: 'unlinked-from',
      text: `UPDATE departed_identity SET user_id = r."userId"
        FROM json_to_recordset($1::json) AS r(fingerprint text, "userId" uuid)
        WHERE departed_identity.fingerprint = decode(r.fingerprint, 'hex')`,
      values: [JSON.stringify(unlinked)],
    });
}

/** One question of the warm read: what is known of this observation. */
export interface Question {
  readonly appId: string;
  readonly openId: string;
  readonly unionId: string | null;
}

export interface WarmAnswer {
  /** Null: no such app. */
  readonly app: {
    readonly entityId: string;
    readonly openPlatformId: string | null;
    readonly boundSince: Date | null;
    readonly formerOpenPlatformIds: readonly string[];
  } | null;
  /** Null: the identity is not known. */
  readonly owner: {
    readonly userId: string;
    readonly version: number;
    readonly createdAt: Date;
    readonly linkedAt: Date;
    readonly pendingUnionId: string | null;
    readonly unionIds: readonly { readonly openPlatformId: string; readonly unionId: string }[];
  } | null;
  /** The user that the unionId leads to in the app's Open Platform account. */
  readonly keyOwnerId: string | null;
}

interface WarmRow {
  entity_id: string | null;
  open_platform_id: string | null;
  bound_since: Date | null;
  former: string[] | null;
  user_id: string | null;
  version: number;
  created_at: Date;
  linked_at: Date;
  pending_union_id: string | null;
  union_ids: { openPlatformId: string; unionId: string }[] | null;
  key_owner: string | null;
}

/**
 * What is known of many observations, in one read and in the order asked. The laterals with LIMIT 1 pin index look-ups:
 * a generic plan made while the tables were small must not survive as a sequential scan.
 */
export async function readWarm(database: Database, questions: readonly Question[]): Promise<WarmAnswer[]> {
  const rows = await database.query<WarmRow>({
    name: 'read-warm',
    text: `
      SELECT a.entity_id, a.open_platform_id, a.bound_since, a.former_open_platform_ids AS former,
             i.user_id, u.version, u.created_at, i.linked_at, i.pending_union_id, k.user_id AS key_owner,
             (SELECT json_agg(json_build_object('openPlatformId', x.open_platform_id, 'unionId', x.union_id)
                              ORDER BY x.linked_at, x.open_platform_id, x.union_id)
              FROM union_key x WHERE x.user_id = i.user_id AND x.retired_at IS NULL) AS union_ids
      FROM unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY q(app_id, open_id, union_id, n)
      LEFT JOIN LATERAL (SELECT * FROM app WHERE app.id = q.app_id LIMIT 1) a ON true
      LEFT JOIN LATERAL (SELECT * FROM identity WHERE identity.app_id = q.app_id AND identity.open_id = q.open_id LIMIT 1) i ON true
      LEFT JOIN LATERAL (SELECT * FROM users WHERE users.id = i.user_id LIMIT 1) u ON true
      LEFT JOIN LATERAL (SELECT * FROM union_key WHERE union_key.entity_id = a.entity_id
        AND union_key.open_platform_id = a.open_platform_id AND union_key.union_id = q.union_id LIMIT 1) k ON true
      ORDER BY q.n`,
    values: [questions.map((q) => q.appId), questions.map((q) => q.openId), questions.map((q) => q.unionId)],
  });
  return rows.map((row) => ({
    app:
      row.entity_id === null
        ? null
        : {
            entityId: row.entity_id,
            openPlatformId: row.open_platform_id,
            boundSince: row.bound_since,
            formerOpenPlatformIds: row.former ?? [],
          },
    owner:
      row.user_id === null
        ? null
        : {
            userId: row.user_id,
            version: row.version,
            createdAt: row.created_at,
            linkedAt: row.linked_at,
            pendingUnionId: row.pending_union_id,
            unionIds: row.union_ids ?? [],
          },
    keyOwnerId: row.key_owner,
  }));
}
