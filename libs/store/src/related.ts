/**
 * Whoever shared an identity with these users at any time: through merges, undone ones too, splits and moves, at whatever
 * distance. Named `related (id)` in a WITH RECURSIVE; each step is a look-up by index.
 */
export const relatedUsers = (start: string): string => `related (id) AS (
    ${start}
    UNION
    SELECT next.id FROM related r CROSS JOIN LATERAL (
      SELECT target_user_id AS id FROM merge WHERE source_user_id = r.id
      UNION ALL SELECT source_user_id FROM merge WHERE target_user_id = r.id
      UNION ALL SELECT unnest(ARRAY[data ->> 'newUserId', data ->> 'previousUserId'])::uuid FROM journal
        WHERE user_id = r.id AND version IS NOT NULL) next
    WHERE next.id IS NOT NULL)`;
