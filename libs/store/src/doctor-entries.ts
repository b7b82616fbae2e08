import { walkSql } from './doctor-sql.js';

/**
 * How many identities a user held before and after a step. Null: an erasure has emptied one of the two. A merged-away id
 * holds none.
 */
const held = (data: string): string => `json_array_length(${data} -> 'user' -> 'identities')`;

const steps = `page p LEFT JOIN LATERAL (SELECT data FROM journal b WHERE b.user_id = p.user_id AND b.version = p.version - 1 LIMIT 1) b
      ON p.version > 1
    CROSS JOIN LATERAL (SELECT CASE WHEN p.version = 1 THEN 0 ELSE ${held('b.data')} END AS before, ${held('p.data')} AS after) h`;

/** What each kind of step may do to the number of identities held: links and unlinks count, everything else moves. */
const accounted = `SELECT 'G4', 'a step of type ' || p.type || ' made ' || h.after || ' identities of ' || h.before,
      ARRAY[p.id, p.user_id]::text[]
    FROM ${steps} WHERE p.version IS NOT NULL AND NOT CASE p.type
      WHEN 'identity.UserLinked.v1' THEN h.after = h.before + 1 OR (p.version = 1 AND p.data ->> 'previousUserId' IS NOT NULL)
      WHEN 'identity.UserUnlinked.v1' THEN h.after = h.before - 1
      WHEN 'identity.UserMerged.v1' THEN h.after = h.before + json_array_length(p.data -> 'movedIdentities')
      WHEN 'identity.MergeReverted.v1' THEN h.after = h.before - json_array_length(p.data -> 'returnedIdentities')
      WHEN 'identity.UserSplit.v1' THEN h.after = h.before - json_array_length(p.data -> 'identities')
      WHEN 'identity.UserRedirected.v1' THEN h.after = 0
      -- Two openIds of one person may have become one.
      WHEN 'identity.IdentityRekeyed.v1' THEN h.after IN (h.before, h.before - 1)
      WHEN 'identity.UserKeyed.v1' THEN h.after = h.before
      WHEN 'identity.UserRekeyed.v1' THEN h.after = h.before
      ELSE true END`;

/** What left one user in a transaction must have come to the other one: neither lost nor copied on the way. */
const arrival = (type: string, list: string, otherId: string, otherType: string, count: string): string => `
    SELECT 'G4', 'what a step of type ' || p.type || ' moved does not agree with the other user', ARRAY[p.id, p.user_id, (p.data ->> '${otherId}')::uuid]::text[]
    FROM page p LEFT JOIN LATERAL (
      SELECT o.data, b.data AS before FROM journal o
      LEFT JOIN journal b ON b.user_id = o.user_id AND b.version = o.version - 1
      WHERE o.user_id = (p.data ->> '${otherId}')::uuid AND o.xid = p.xid AND o.version IS NOT NULL AND o.type = '${otherType}'
        AND coalesce(o.data ->> 'mergeId' = p.data ->> 'mergeId', true)
      LIMIT 1) o ON true
    WHERE p.type = '${type}' AND p.data ->> '${otherId}' IS NOT NULL
      AND (o.data IS NULL OR ${count} <> json_array_length(p.data -> '${list}'))`;

const told = `SELECT CASE WHEN u.id IS NULL THEN 'G3' ELSE 'G10' END,
      CASE WHEN u.id IS NULL THEN 'the journal tells of a user that does not exist'
        ELSE 'the entry does not tell of the step it stands for' END, ARRAY[p.id, p.user_id]::text[]
    FROM page p LEFT JOIN LATERAL (SELECT id FROM users WHERE users.id = p.user_id LIMIT 1) u ON true
    WHERE p.version IS NOT NULL AND (u.id IS NULL OR p.actor = '' OR p.cause = ''
      OR p.data ->> 'userId' IS DISTINCT FROM p.user_id::text OR p.data ->> 'version' IS DISTINCT FROM p.version::text
      OR p.data -> 'user' ->> 'id' IS DISTINCT FROM p.user_id::text
      OR p.data -> 'user' ->> 'version' IS DISTINCT FROM p.version::text)`;

export const entriesSql = walkSql(
  'SELECT * FROM journal WHERE id > ($1::text[])[1]::bigint ORDER BY id LIMIT $2',
  'ARRAY[id::text] FROM page ORDER BY id DESC LIMIT 1',
  [
    told,
    accounted,
    arrival(
      'identity.UserMerged.v1',
      'movedIdentities',
      'sourceUserId',
      'identity.UserRedirected.v1',
      held('o.before'),
    ),
    arrival(
      'identity.MergeReverted.v1',
      'returnedIdentities',
      'sourceUserId',
      'identity.UserRestored.v1',
      held('o.data'),
    ),
    arrival('identity.UserSplit.v1', 'identities', 'newUserId', 'identity.UserLinked.v1', held('o.data')),
  ],
);
